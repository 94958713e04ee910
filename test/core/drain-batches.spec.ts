import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fitBatches, jitteredInterval } from '../../src/core/drain-batches.js';

const plans = fc.record({
  batchSize: fc.integer({ min: 1, max: 100_000 }),
  batchInterval: fc.integer({ min: 1, max: 60_000 }),
});

describe('batches', () => {
  test('stay as they are where there is time', () => {
    const plan = { batchSize: 1_000, batchInterval: 200 };
    expect(fitBatches(plan, 10_000, 10_000)).toEqual(plan);
  });

  test('grow where they would take more than half of the time left', () => {
    const plan = { batchSize: 1_000, batchInterval: 200 };
    // 17 batches, 16 waits of 300 ms at most: 4.8 s.
    expect(fitBatches(plan, 100_000, 10_000)).toEqual({ batchSize: 5_883, batchInterval: 200 });
  });

  test('are one where they are to come at once, or where no time is left', () => {
    expect(fitBatches({ batchSize: 1, batchInterval: 0 }, 500, 10_000).batchSize).toBe(500);
    expect(fitBatches({ batchSize: 1, batchInterval: 0 }, 0, 10_000).batchSize).toBe(1);
    expect(fitBatches({ batchSize: 1, batchInterval: 200 }, 500, -1).batchSize).toBe(500);
  });

  test('always ask everybody within half of the time, however long the waits turn out', () => {
    const connections = fc.integer({ min: 1, max: 1_000_000 });
    const time = fc.integer({ min: 0, max: 600_000 });
    fc.assert(
      fc.property(plans, connections, time, (plan, count, timeLeft) => {
        const fitted = fitBatches(plan, count, timeLeft);
        const waits = Math.ceil(count / fitted.batchSize) - 1;
        const longest = waits * jitteredInterval(fitted, 1);
        expect(longest).toBeLessThanOrEqual(timeLeft / 2);
        expect(fitted.batchSize).toBeGreaterThanOrEqual(plan.batchSize);
        expect(fitted.batchInterval).toBe(plan.batchInterval);
      }),
    );
  });
});

test('the wait before a batch is the interval, half of it more or less', () => {
  const plan = { batchSize: 1, batchInterval: 200 };
  expect([0, 0.5, 0.999].map((random) => Math.round(jitteredInterval(plan, random)))).toEqual([
    100, 200, 300,
  ]);
});
