import { expect, test } from '@jest/globals';
import { MessageRate } from '../../src/runtime/message-rate.js';
import { ManualClock } from '../support/fakes/manual.clock.js';

/** How many may be taken at this moment. */
function burst(rate: MessageRate): number {
  let count = 0;
  while (rate.take()) count++;
  return count;
}

test('gives as many as a second has at once, then one in its time', () => {
  const clock = new ManualClock();
  const rate = new MessageRate(clock, 10);
  expect(rate.wait).toBe(0);
  expect(burst(rate)).toBe(10);
  expect(rate.wait).toBe(100);
  clock.advance(99);
  expect(rate.take()).toBe(false);
  expect(rate.wait).toBe(1);
  clock.advance(1);
  expect(burst(rate)).toBe(1);
});

test('never gives more than a burst and the rate in any time', () => {
  const clock = new ManualClock();
  const rate = new MessageRate(clock, 10);
  let taken = 0;
  for (let ms = 0; ms < 10_000; ms += 50) {
    taken += burst(rate);
    clock.advance(50);
  }
  expect(taken).toBe(10 + 99);
  clock.advance(60_000);
  expect(burst(rate)).toBe(10);
});

test('may be slower than one a second', () => {
  const clock = new ManualClock();
  const rate = new MessageRate(clock, 0.5);
  expect(burst(rate)).toBe(1);
  expect(rate.wait).toBe(2_000);
  clock.advance(2_000);
  expect(burst(rate)).toBe(1);
});
