// Runs the races on the stock stack, on each major of Nest, and prints what it loses. Each race
// declares what the stock stack does with it (see test/support/race.ts): one that does anything
// else there fails, so this passes only where exactly the expected ones are lost.
//
//   node scripts/test-stock.mjs [--nest=11|12]... [--verbose]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const given = process.argv.slice(2);
const verbose = given.includes('--verbose');
const majors = given.filter((argument) => argument.startsWith('--nest='));
if (majors.length === 0) majors.push('--nest=12', '--nest=11');

const folder = mkdtempSync(join(tmpdir(), 'stock-'));
const summaries = [];
for (const nest of majors) {
  const losses = join(folder, `${nest}.jsonl`);
  const { status } = spawnSync(
    process.execPath,
    ['scripts/jest.mjs', nest, '--stack=stock', 'test/e2e/races'],
    { stdio: 'inherit', env: { ...process.env, STOCK_LOSSES: losses } },
  );
  if (status !== 0) process.exitCode = 1;
  summaries.push(summaryOf(nest.replace('--nest=', 'Nest '), readLosses(losses)));
}
rmSync(folder, { recursive: true });
console.log(`\n${summaries.join('\n')}`);
console.log(
  process.exitCode
    ? 'These are not exactly the expected ones: see the failed tests above.'
    : 'These are exactly the expected ones.',
);

function readLosses(file) {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function summaryOf(stack, losses) {
  const untold = losses.filter(({ kind }) => kind === 'untold').length;
  const lines = [
    `${stack}: the stock stack loses ${losses.length} races, ${untold} of them only in that nobody is told.`,
  ];
  for (const { guarantee, title, why } of verbose ? losses : []) {
    lines.push(`  ${guarantee} ${title}\n     ${why}`);
  }
  return lines.join('\n');
}
