import { expect, test } from '@jest/globals';
import { BACK_OFFS } from '../../simulation/back-off.strategies.js';
import { recommendationOf, tableOf } from '../../simulation/report.text.js';
import {
  PLANS,
  recommend,
  SETTINGS,
  simulate,
  type SweepRow,
} from '../../simulation/settings.sweep.js';
import { chartOf } from '../../simulation/sweep.chart.js';
import { DEFAULT_SHUTDOWN } from '../../src/nest/shutdown.values.js';
import { PLATFORM_PRESETS } from '../../src/nest/platform.presets.js';

const [NONE, FIXED] = BACK_OFFS;
const CLUSTER = { connections: 500, nodes: 3, capacity: 100, seed: 1 };

function row(plan: number, result: Partial<SweepRow['result']>): SweepRow {
  const nothing = { p50Delay: 0, p99Delay: 0, lost: 0, returned: 0, gaveUp: 0, fullest: 0 };
  return {
    plan: PLANS[plan]!,
    backOff: NONE,
    result: { ...nothing, refused: 0, terminated: 0, peak: 1, finishedAt: 1, ...result },
  };
}

test('the defaults and the preset for Kubernetes are among the plans', () => {
  const { timeout, readinessDelay, batchSize, batchInterval } = DEFAULT_SHUTDOWN;
  const defaults = { timeout, readinessDelay, batchSize, batchInterval, jitter: true };
  expect(PLANS).toContainEqual(defaults);
  expect(PLANS).toContainEqual({ ...defaults, ...PLATFORM_PRESETS.kubernetes.defaults.shutdown });
});

test('the quickest that the capacity bears is recommended, and a smooth one before others', () => {
  const slow = row(0, { peak: 50, finishedAt: 300 });
  const quick = row(1, { peak: 80, finishedAt: 200 });
  const cutting = row(2, { peak: 80, finishedAt: 100, terminated: 1 });
  const refusing = row(3, { peak: 80, finishedAt: 100, refused: 1 });
  const steep = row(4, { peak: 81, finishedAt: 50 });
  const endless = row(5, { peak: 1, finishedAt: Number.POSITIVE_INFINITY });
  const all = [slow, steep, cutting, quick, refusing, endless];
  expect(recommend(all, NONE, 100)).toBe(quick);
  expect(recommend(all, NONE, 70)).toBe(slow);
  expect(recommend([cutting, endless], NONE, 100)).toBe(cutting);
  expect(recommend([endless], NONE, 100)).toBeUndefined();
  expect(recommend(all, FIXED, 100)).toBeUndefined();
  expect(recommendationOf(all, 100)).toContain(
    'none: shutdown: { code: 1012, timeout: 10000, readinessDelay: 0, batchSize: 1000, batchInterval: 200 }',
  );
});

test('the table has a row, and the chart two marks, for each setting', () => {
  const rows = SETTINGS.map((setting) => simulate(CLUSTER, setting));
  const table = tableOf(rows).split('\n');
  expect(table).toHaveLength(1 + PLANS.length * BACK_OFFS.length);
  const { result } = rows[7]!;
  expect(table[8]).toMatch(
    new RegExp(`^10000 .* 1000 .* full jitter, first 0–1 s +${result.peak} `),
  );
  const chart = chartOf(rows, CLUSTER);
  expect(chart.match(/<path /g)).toHaveLength(BACK_OFFS.length + 2 * rows.length);
  expect(chart).not.toMatch(/NaN|undefined|Infinity/);
});

test('the chart leaves out a time that never comes', () => {
  const rows = [row(0, { finishedAt: Number.POSITIVE_INFINITY }), row(1, {})];
  const chart = chartOf(rows, CLUSTER);
  expect(chart.match(/<path /g)).toHaveLength(BACK_OFFS.length + 3);
  expect(chart).not.toMatch(/NaN|undefined|Infinity/);
  expect(tableOf(rows)).toMatch(/never/);
});
