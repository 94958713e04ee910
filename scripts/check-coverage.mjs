// Each file of src/core and src/runtime must be covered in full by its own test file alone:
// src/core/x.ts by test/core/x.spec.ts. What other tests happen to run on the way does not count.
// A file without a statement (types, re-exports) needs no test file.
//
//   node scripts/check-coverage.mjs [folder or file under src]...
//
// One run of jest does it all: own-coverage-reporter.mjs looks at each test file by itself.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, transformSync } from '@swc/core';

const FOLDERS = ['core', 'runtime'];
const MEASURES = ['statements', 'branches', 'functions', 'lines'];

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const wanted = process.argv.slice(2);

const sources = FOLDERS.map((folder) => `src/${folder}`)
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder, { encoding: 'utf8', recursive: true }).map((name) => `${folder}/${name}`),
  )
  .filter((file) => file.endsWith('.ts') && hasStatements(file))
  .filter((file) => wanted.length === 0 || wanted.some((path) => file.startsWith(path)))
  .toSorted();
const tested = sources.filter((source) => existsSync(specOf(source)));

const coverage = tested.length === 0 ? {} : measure(tested);

const faults = sources.flatMap((source) => faultsOf(source, coverage[source]));
for (const fault of faults) console.error(fault);
console.log(
  `${sources.length} files, ${faults.length === 0 ? 'each covered in full by its own test file' : `${faults.length} faults`}`,
);
if (faults.length > 0) process.exitCode = 1;

function specOf(source) {
  return source.replace(/^src/, 'test').replace(/\.ts$/, '.spec.ts');
}

/** Runs the test files of the sources once; exits if one of them fails. */
function measure(files) {
  const folder = mkdtempSync(join(tmpdir(), 'coverage-'));
  const report = join(folder, 'own.json');
  try {
    const { status } = spawnSync(
      process.execPath,
      [
        'scripts/jest.mjs',
        '--coverage',
        '--coverageReporters=none',
        '--reporters=default',
        '--reporters=<rootDir>/scripts/own-coverage-reporter.mjs',
        ...files.map((file) => `--collectCoverageFrom=${file}`),
        '--runTestsByPath',
        ...files.map(specOf),
      ],
      // These tests are counted where they run as tests, so no JEST_REPORTS here.
      {
        stdio: 'inherit',
        env: { ...process.env, JEST_REPORTS: '', OWN_COVERAGE_FILE: report },
      },
    );
    if (status !== 0) process.exit(1);
    return JSON.parse(readFileSync(report, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function faultsOf(source, found) {
  if (!existsSync(specOf(source))) return [`${source}: no ${specOf(source)}`];
  if (!found) return [`${source}: ${specOf(source)} does not load it`];
  const short = MEASURES.filter((each) => found.totals[each].pct < 100);
  if (short.length === 0) return [];
  const percentages = short.map((each) => `${each} ${found.totals[each].pct} %`);
  const gaps = found.gaps.map((gap) => `\n    ${source}:${gap}`);
  return [`${source}: ${percentages.join(', ')} from ${specOf(source)} alone${gaps.join('')}`];
}

/** Whether anything but imports and re-exports is left once the types are gone. */
function hasStatements(file) {
  const { code } = transformSync(readFileSync(file, 'utf8'), { filename: file });
  return parseSync(code).body.some(
    ({ type }) =>
      type !== 'ImportDeclaration' &&
      type !== 'ExportNamedDeclaration' &&
      type !== 'ExportAllDeclaration',
  );
}
