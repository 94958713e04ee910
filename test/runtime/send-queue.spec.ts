import { expect, test } from '@jest/globals';
import { SendQueue, type Queued } from '../../src/runtime/send-queue.js';

function message(data: string, conflate?: string): Queued {
  return {
    data,
    request: conflate ? { conflate } : undefined,
    bytes: data.length,
    settle: undefined,
  };
}

function queueOf(...messages: Queued[]): SendQueue {
  const queue = new SendQueue();
  for (const one of messages) queue.push(one);
  return queue;
}

const textOf = (queue: SendQueue): string => [...queue].map(({ data }) => data as string).join(' ');

test('gives messages back in their order, and counts their bytes', () => {
  const queue = queueOf(message('a'), message('bb'), message('ccc'));
  expect([queue.size, queue.bytes, textOf(queue)]).toEqual([3, 6, 'a bb ccc']);
  expect([queue.first?.data, queue.last?.data]).toEqual(['a', 'ccc']);
});

test.each([
  ['first', 0, undefined, 'b c'],
  ['middle', 1, 'a', 'a c'],
  ['last', 2, 'b', 'a b'],
])('the %s can be taken out', (_name, index, before, left) => {
  const queue = queueOf(message('a'), message('b'), message('c'));
  const removed = [...queue][index]!;
  expect(queue.remove(removed)?.data).toBe(before);
  expect([queue.size, queue.bytes, textOf(queue)]).toEqual([2, 2, left]);
  expect([queue.first?.data, queue.last?.data]).toEqual([left[0], left[2]]);
});

test('an emptied queue can be used again', () => {
  const queue = queueOf(message('a'));
  queue.remove(queue.first!);
  expect([queue.first, queue.last, queue.size, queue.bytes]).toEqual([undefined, undefined, 0, 0]);
  queue.push(message('b'));
  expect(textOf(queue)).toBe('b');
});

test('knows the newest of each key, as long as it is in it', () => {
  const queue = queueOf(message('a1', 'a'), message('b1', 'b'), message('plain'));
  expect(queue.conflated('a')?.data).toBe('a1');
  expect(queue.conflated('none')).toBeUndefined();
  expect(new SendQueue().conflated('a')).toBeUndefined();
  queue.remove(queue.conflated('a')!);
  expect(queue.conflated('a')).toBeUndefined();
  queue.push(message('b2', 'b'));
  queue.remove(queue.first!);
  expect(queue.conflated('b')?.data).toBe('b2');
});
