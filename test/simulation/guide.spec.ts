import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { readOptions } from '../../simulation/command.options.js';
import { tableOf } from '../../simulation/report.text.js';
import { SETTINGS, simulate, type SweepRow } from '../../simulation/settings.sweep.js';
import { readPage, ROOT } from '../docs/pages.js';

const { text: guide } = readPage('docs/guides/rolling-deploys.md');

const [, block = ''] = /<!-- figures -->\n```text\n([\s\S]*?)\n```/.exec(guide)!;

/** The cells of a line; two spaces part them. */
function cells(line: string): string[] {
  return line.split(/ {2,}/);
}

/** What stands before the figures, to know a setting by. */
function nameOf(line: string): string {
  return cells(line).slice(0, 6).join(' ');
}

const NOTHING: SweepRow['result'] = {
  peak: 0,
  p50Delay: 0,
  p99Delay: 0,
  finishedAt: 0,
  lost: 0,
  returned: 0,
  refused: 0,
  gaveUp: 0,
  terminated: 0,
  fullest: 0,
};

test('the rows of the guide are what the simulation prints today', () => {
  const [head, ...quoted] = block.split('\n');
  expect(quoted.length).toBeGreaterThan(8);
  const names = new Set(quoted.map(nameOf));
  const settings = SETTINGS.filter((setting) => {
    const [, line] = tableOf([{ ...setting, result: NOTHING }]).split('\n');
    return names.has(nameOf(line!));
  });
  expect(settings).toHaveLength(quoted.length);
  const rows = settings.map((setting) => simulate(readOptions([]), setting));
  const printed = tableOf(rows).split('\n');
  expect([head, ...quoted].map((line) => cells(line!))).toEqual(printed.map(cells));
}, 120_000);

test('the chart of the guide was drawn for the same cluster', () => {
  const chart = readFileSync(`${ROOT}/docs/guides/rolling-deploys.svg`, 'utf8');
  expect(chart).toContain('Rolling deploy of 20 nodes with 1,000,000 connections');
  const peaks = block
    .split('\n')
    .slice(1)
    .map((line) => cells(line)[6]);
  expect(peaks.filter((peak) => !chart.includes(`: ${peak}</title>`))).toEqual([]);
});
