import { expect, test } from '@jest/globals';
import { latencies, seededRandom } from '../../simulation/random.js';

function first(random: () => number, count: number): number[] {
  return Array.from({ length: count }, random);
}

test('a seed gives one sequence, another seed another', () => {
  expect(first(seededRandom(1), 5)).toEqual(first(seededRandom(1), 5));
  expect(first(seededRandom(1), 5)).not.toEqual(first(seededRandom(2), 5));
});

test('numbers are spread evenly over [0, 1)', () => {
  const counts = Array.from({ length: 10 }, () => 0);
  for (const value of first(seededRandom(7), 100_000)) counts[Math.floor(value * 10)]!++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

test('half of all latencies are below the median, and without spread all are the median', () => {
  const draw = latencies({ median: 80, spread: 0.7 }, seededRandom(3));
  const below = first(draw, 10_000).filter((latency) => latency < 80).length;
  expect(Math.abs(below - 5_000)).toBeLessThan(300);
  expect(new Set(first(latencies({ median: 80, spread: 0 }, seededRandom(3)), 100))).toEqual(
    new Set([80]),
  );
});
