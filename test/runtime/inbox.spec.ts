import { describe, expect, test } from '@jest/globals';
import { Inbox } from '../../src/runtime/inbox.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';

const LIMIT = 100;

function inbox(messagesPerSecond?: number) {
  const clock = new ManualClock();
  const { port } = createSocketPair();
  const seen: string[] = [];
  const box = new Inbox(port, clock, messagesPerSecond);
  const keep = (...texts: string[]): void => {
    for (const text of texts) box.keep(() => seen.push(text), text.length, LIMIT);
  };
  return { box, clock, port, seen, keep };
}

const always = (): boolean => true;

describe('the inbox', () => {
  test('dispatches what it kept, in order', () => {
    const { box, seen, keep } = inbox();
    keep('one', 'two', 'three');
    expect(seen).toEqual([]);
    box.release(always);
    expect(seen).toEqual(['one', 'two', 'three']);
    box.release(always);
    expect(seen).toHaveLength(3);
  });

  test('with nothing kept, release and discard only call back', () => {
    const { box, port, seen } = inbox();
    let called = 0;
    box.callBack(() => called++, 0, LIMIT);
    box.release(always);
    box.callBack(() => called++, 0, LIMIT);
    expect(box.discard()).toBe(0);
    expect(called).toBe(2);
    expect(seen).toEqual([]);
    expect(port.calls).toEqual([]);
  });

  test('delivers so many at once, and the next once the microtasks have run', () => {
    const { box, clock, seen, keep } = inbox();
    keep('one', 'two', 'three', 'four', 'five');
    box.release(always, 2);
    expect(seen).toEqual(['one', 'two']);
    expect(box.mayPass()).toBe(false);
    clock.endMacrotask();
    expect(seen).toEqual(['one', 'two', 'three', 'four']);
    clock.endMacrotask();
    expect(seen).toEqual(['one', 'two', 'three', 'four', 'five']);
    expect(clock.pendingMacrotask).toBe(0);
    expect(box.mayPass()).toBe(true);
  });

  test('what waits for its turn may be released before, once', () => {
    const { box, clock, seen, keep } = inbox();
    keep('one', 'two', 'three');
    box.release(always, 1);
    box.release(always);
    clock.endMacrotask();
    expect(seen).toEqual(['one', 'two', 'three']);
  });

  test('stops to dispatch once the connection is not live any more', () => {
    const { box, seen, keep } = inbox();
    keep('one', 'two', 'three');
    box.release(() => seen.length < 2);
    expect(seen).toEqual(['one', 'two']);
    expect(box.discard()).toBe(1);
  });

  test('a handler that is dispatched may discard the rest', () => {
    const { box, seen, keep } = inbox();
    const discarded: number[] = [];
    box.keep(() => discarded.push(box.discard()), 1, LIMIT);
    keep('two', 'three');
    box.release(always);
    expect(seen).toEqual([]);
    expect(discarded).toEqual([2]);
  });

  test('gives up what it kept, tells how much that was, and reads on', () => {
    const { box, clock, port, seen, keep } = inbox();
    keep('x'.repeat(60), 'y'.repeat(60));
    expect(port.paused).toBe(true);
    expect(box.discard()).toBe(2);
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    expect(box.discard()).toBe(0);
    box.release(always);
    expect(seen).toEqual([]);
  });

  test('releasing all reads on and leaves no timer', () => {
    const { box, clock, port, keep } = inbox();
    keep('x'.repeat(101));
    box.release(always);
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('those who wait are called back once each, in order, as they came among the messages', () => {
    const { box, seen, keep } = inbox();
    box.callBack(() => seen.push('callback one'), 0, LIMIT);
    keep('message');
    box.callBack(() => seen.push('callback two'), 0, LIMIT);
    box.release(always);
    box.release(always);
    box.discard();
    expect(seen).toEqual(['callback one', 'message', 'callback two']);
  });

  test('where a message closes, those who wait are called back all the same, and once', () => {
    const { box } = inbox();
    let called = 0;
    box.keep(() => void box.discard(), 1, LIMIT);
    box.callBack(() => called++, 0, LIMIT);
    box.release(always);
    expect(called).toBe(1);
  });

  test('one who comes to wait in a callback is called behind those that wait', () => {
    const { box } = inbox();
    const called: string[] = [];
    box.callBack(
      () => {
        called.push('first');
        box.callBack(() => called.push('third'), 0, LIMIT);
        box.release(always);
      },
      0,
      LIMIT,
    );
    box.callBack(() => called.push('second'), 0, LIMIT);
    box.release(always);
    expect(called).toEqual(['first', 'second', 'third']);
  });
});

describe('without a rate', () => {
  test('all may pass, unless some wait', () => {
    const { box, keep } = inbox();
    for (let count = 0; count < 10_000; count++) expect(box.mayPass()).toBe(true);
    keep('one');
    expect(box.mayPass()).toBe(false);
    box.release(always);
    expect(box.mayPass()).toBe(true);
  });
});

describe('with a rate', () => {
  test('a burst of one second may pass, and what follows waits its turn', () => {
    const { box, clock, seen, keep } = inbox(4);
    for (let count = 0; count < 4; count++) expect(box.mayPass()).toBe(true);
    expect(box.mayPass()).toBe(false);
    keep('a', 'b', 'c');
    box.release(always);
    expect(seen).toEqual([]);
    clock.advance(249);
    expect(seen).toEqual([]);
    clock.advance(1);
    expect(seen).toEqual(['a']);
    clock.advance(500);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(clock.pendingTimers).toBe(0);
    expect(box.mayPass()).toBe(false);
  });

  test('the first that waits is told from others', () => {
    const { box } = inbox(1);
    expect(box.keep(() => {}, 1, LIMIT)).toBe(true);
    expect(box.keep(() => {}, 1, LIMIT)).toBe(false);
  });

  test('discarding leaves no timer', () => {
    const { box, clock, keep } = inbox(1);
    box.mayPass();
    keep('a', 'b');
    box.release(always);
    expect(clock.pendingTimers).toBe(1);
    expect(box.discard()).toBe(2);
    expect(clock.pendingTimers).toBe(0);
  });
});
