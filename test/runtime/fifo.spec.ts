import { expect, test } from '@jest/globals';
import { Fifo } from '../../src/runtime/fifo.js';

test('gives back what came first', () => {
  const fifo = new Fifo<number>();
  expect([fifo.size, fifo.first, fifo.shift()]).toEqual([0, undefined, undefined]);
  for (let item = 0; item < 5; item++) fifo.push(item);
  expect([fifo.size, fifo.first]).toEqual([5, 0]);
  expect([fifo.shift(), fifo.shift(), fifo.shift(), fifo.shift()]).toEqual([0, 1, 2, 3]);
  fifo.push(5);
  expect([fifo.size, fifo.first]).toEqual([2, 4]);
  expect(fifo.clear()).toEqual([4, 5]);
  expect([fifo.size, fifo.shift()]).toEqual([0, undefined]);
});

test('keeps its order in a long run of both', () => {
  const fifo = new Fifo<number>();
  const taken: number[] = [];
  for (let item = 0; item < 1_000; item++) {
    fifo.push(item);
    if (item % 3 > 0) taken.push(fifo.shift()!);
  }
  taken.push(...fifo.clear());
  expect(taken).toEqual(Array.from({ length: 1_000 }, (_, item) => item));
});
