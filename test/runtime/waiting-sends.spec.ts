import { beforeEach, expect, test } from '@jest/globals';
import { WaitingSends } from '../../src/runtime/waiting-sends.js';

let refused: string[];
/** Of each of them, what waited before it. */
let before: unknown[];
let waiting: WaitingSends;

beforeEach(() => {
  refused = [];
  before = [];
  waiting = new WaitingSends(({ data }, one, cause) => {
    refused.push(`${String(data)} ${cause}`);
    before.push(one?.data);
  });
});

function add(data: string, signal?: AbortSignal): void {
  const request = signal && { signal };
  waiting.add({ data, request, bytes: data.length, settle: undefined });
}

test('lets them go in the order in which they came', () => {
  expect([waiting.first, waiting.shift()]).toEqual([undefined, undefined]);
  for (const data of ['a', 'bb', 'ccc']) add(data);
  expect(waiting.bytes).toBe(6);
  expect(waiting.first?.data).toBe('a');
  expect([waiting.shift()?.data, waiting.shift()?.data]).toEqual(['a', 'bb']);
  expect(waiting.bytes).toBe(3);
  expect(refused).toEqual([]);
});

test('refuses all of them, each once', () => {
  for (const data of ['a', 'bb']) add(data);
  waiting.refuseAll('closing');
  waiting.refuseAll('closing');
  expect(refused).toEqual(['a closing', 'bb closing']);
  expect([waiting.bytes, waiting.first]).toEqual([0, undefined]);
});

test('refuses one whose signal is aborted, and no other', () => {
  const aborter = new AbortController();
  add('a');
  add('b', aborter.signal);
  add('c');
  aborter.abort();
  expect(refused).toEqual(['b aborted']);
  expect([waiting.shift()?.data, waiting.shift()?.data, waiting.bytes]).toEqual(['a', 'c', 0]);
});

test('waits without a signal where it is given something else', () => {
  add('a', 'no signal' as never);
  expect(waiting.shift()?.data).toBe('a');
});

test('no longer listens to the signal of one that has gone', () => {
  const aborter = new AbortController();
  for (const data of ['a', 'b']) add(data, aborter.signal);
  waiting.shift();
  waiting.refuseAll('closing');
  aborter.abort();
  expect(refused).toEqual(['b closing']);
});

test('knows the last, and the one before the last or before one that somebody waits for', () => {
  expect(waiting.last).toBeUndefined();
  const aborters = ['a', 'b', 'c', 'd'].map((data) => {
    const aborter = new AbortController();
    add(data, aborter.signal);
    return aborter;
  });
  expect(waiting.last?.data).toBe('d');
  aborters[3]!.abort();
  expect(waiting.last?.data).toBe('c');
  waiting.last!.barriers = [];
  add('e');
  aborters[2]!.abort();
  aborters[0]!.abort();
  expect([refused.length, before]).toEqual([3, ['c', 'b', undefined]]);
  waiting.shift();
  waiting.shift();
  expect([waiting.first, waiting.last]).toEqual([undefined, undefined]);
});
