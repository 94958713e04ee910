import { expect, test } from '@jest/globals';
import { RateMeter } from '../../simulation/rate.meter.js';

function peakOf(times: readonly number[]): number {
  const meter = new RateMeter();
  for (const time of times) meter.count(time);
  return meter.peak;
}

test('a second counts wherever it begins', () => {
  expect(peakOf([])).toBe(0);
  expect(peakOf([0, 0, 0])).toBe(3);
  expect(peakOf([700, 800, 900, 1_000, 1_100, 1_200])).toBe(6);
});

test('what lies a second apart does not count together', () => {
  expect(peakOf([0, 0, 1_000, 1_000, 1_000, 2_000])).toBe(3);
  expect(peakOf([0, 900, 1_800, 2_700])).toBe(2);
});

test('the peak stays after a long silence', () => {
  expect(peakOf([50, 60, 70, 1_000_000, 1_000_100])).toBe(3);
});
