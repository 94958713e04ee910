// Runs jest with the flags that native ESM and the memory tests need.
//
//   node scripts/jest.mjs [--nest=11|12]... [--stack=stock] [--soak] [--fallback] [--deflate] [jest's own arguments]
//
// `--nest` can be given more than once: one run after the other, and the sum of all at the end.
// `--fallback` sends every message by ws's own send().
// `--deflate` has every server of the adapter compress what it sends to those who can read it.
// With JEST_REPORTS=<folder>, each run leaves its results there as JSON (see jest-totals.mjs).
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatTotals, readTotals, writeCrash } from './jest-totals.mjs';

const NODE_FLAGS = [
  '--experimental-vm-modules',
  '--expose-gc',
  '--disable-warning=ExperimentalWarning',
];

const jestBin = createRequire(import.meta.url).resolve('jest/bin/jest');

const versions = [];
const environment = { ...process.env };
const jestArguments = [];
for (const argument of process.argv.slice(2)) {
  const [, name, value] = /^--(nest|stack|soak|fallback|deflate)(?:=(.+))?$/.exec(argument) ?? [];
  if (name === 'nest') versions.push(value);
  else if (name === 'stack') environment.STACK = value;
  else if (name === 'soak') environment.SOAK = '1';
  else if (name === 'fallback') environment.SAFE_CLOSE_NO_BATCHING = '1';
  else if (name === 'deflate') environment.DEFLATE = '1';
  else jestArguments.push(argument);
}
if (versions.length === 0) versions.push(environment.NEST ?? '12');

const temporary = environment.JEST_REPORTS ? undefined : mkdtempSync(join(tmpdir(), 'jest-'));
const reports = environment.JEST_REPORTS || temporary;

const watching = jestArguments.some((argument) => argument.startsWith('--watch'));
let failed = false;
for (const nest of versions) {
  const kind = [
    `nest-${nest}`,
    environment.STACK,
    environment.SOAK && 'soak',
    environment.SAFE_CLOSE_NO_BATCHING && 'fallback',
    environment.DEFLATE && 'deflate',
  ].filter(Boolean);
  const report = join(reports, `${kind.join('-')}-${process.pid}.json`);
  const output = watching ? [] : ['--json', `--outputFile=${report}`];
  // What Nest 11 leaves out, as it knows no Nest, may be all that was asked for.
  const mayBeNone = nest === '11' && versions.includes('12') ? ['--passWithNoTests'] : [];
  const status = await run(
    [...NODE_FLAGS, jestBin, ...jestArguments, ...mayBeNone, ...output],
    nest,
  );
  if (status !== 0) failed = true;
  if (status !== 0 && !watching && !existsSync(report)) writeCrash(report);
}

if (versions.length > 1) console.log(`\n${formatTotals(readTotals(reports))}`);
if (temporary) rmSync(temporary, { recursive: true });
process.exitCode = failed ? 1 : 0;

function run(nodeArguments, nest) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, nodeArguments, {
      stdio: 'inherit',
      env: { ...environment, NEST: nest },
    });
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
