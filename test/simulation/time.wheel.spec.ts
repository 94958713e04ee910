import { expect, test } from '@jest/globals';
import { HORIZON, TICK, TimeWheel } from '../../simulation/time.wheel.js';

/** What is due at each of the next ticks. */
function next(wheel: TimeWheel, ticks: number): number[][] {
  return Array.from({ length: ticks }, () => {
    const due: number[] = [];
    wheel.advance((item) => due.push(item));
    return due.toSorted((a, b) => a - b);
  });
}

test('each item is due once, at the first tick that is not too early', () => {
  const wheel = new TimeWheel(4);
  wheel.schedule(0, 0);
  wheel.schedule(1, TICK);
  wheel.schedule(2, TICK + 1);
  wheel.schedule(3, 3 * TICK);
  expect(wheel.pending).toBe(4);
  expect(next(wheel, 4)).toEqual([[0, 1], [2], [3], []]);
  expect(wheel.pending).toBe(0);
});

test('an item may be scheduled again while it is visited', () => {
  const wheel = new TimeWheel(2);
  wheel.schedule(0, TICK);
  wheel.schedule(1, TICK);
  wheel.advance((item) => wheel.schedule(item, TICK));
  expect(next(wheel, 2)).toEqual([[0, 1], []]);
});

test('the horizon is reached, all the way round, and not passed', () => {
  const wheel = new TimeWheel(1);
  next(wheel, 5);
  wheel.schedule(0, HORIZON);
  const due = next(wheel, HORIZON / TICK);
  expect(due.findIndex((items) => items.length > 0)).toBe(HORIZON / TICK - 1);
  expect(() => wheel.schedule(0, HORIZON + TICK)).toThrow('beyond the wheel');
});

test('what is withdrawn is not due any more, and the others still are', () => {
  const wheel = new TimeWheel(6);
  for (let item = 0; item < 6; item++) wheel.schedule(item, TICK * (1 + (item % 2)));
  expect(wheel.withdraw((item) => item < 3).toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  expect(wheel.pending).toBe(3);
  expect(next(wheel, 2)).toEqual([[4], [3, 5]]);
});
