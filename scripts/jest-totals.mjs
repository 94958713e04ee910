// Sums the results that jest wrote as JSON into a folder: `node scripts/jest-totals.mjs <folder>`
// prints "N passed, N failed". A test file that could not run at all counts as one failure.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export function readTotals(folder) {
  const totals = { passed: 0, failed: 0 };
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const result = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    totals.passed += result.numPassedTests;
    totals.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  }
  return totals;
}

/** The report of a run that ended without one. */
export function writeCrash(file) {
  const crash = { numPassedTests: 0, numFailedTests: 0, numRuntimeErrorTestSuites: 1 };
  writeFileSync(file, JSON.stringify(crash));
}

export function formatTotals({ passed, failed }) {
  return `${passed} passed, ${failed} failed`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(formatTotals(readTotals(process.argv[2])));
}
