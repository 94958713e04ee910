import { describe, expect, test } from '@jest/globals';
import { Inbox } from '../../src/runtime/inbox.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';

function inbox() {
  const clock = new ManualClock();
  const { port } = createSocketPair();
  const seen: string[] = [];
  const box = new Inbox(port, clock, 100);
  box.dispatcher = (data, isBinary) => {
    seen.push(`${(data as Buffer).toString()}${isBinary ? ' (binary)' : ''}`);
  };
  const keep = (...texts: string[]): void => {
    for (const text of texts) box.keep(Buffer.from(text), false);
  };
  return { box, clock, port, seen, keep };
}

const always = (): boolean => true;

describe('the inbox', () => {
  test('dispatches what it kept, in order', () => {
    const { box, seen, keep } = inbox();
    keep('one');
    box.keep(Buffer.from('two'), true);
    keep('three');
    expect(seen).toEqual([]);
    box.release(always);
    expect(seen).toEqual(['one', 'two (binary)', 'three']);
    box.release(always);
    expect(seen).toHaveLength(3);
  });

  test('with nothing kept, release and discard only call back', () => {
    const { box, port, seen } = inbox();
    let called = 0;
    box.callBack(() => called++);
    box.release(always);
    box.callBack(() => called++);
    expect(box.discard()).toBe(0);
    expect(called).toBe(2);
    expect(seen).toEqual([]);
    expect(port.calls).toEqual([]);
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
    box.dispatcher = (data) => {
      seen.push((data as Buffer).toString());
      discarded.push(box.discard());
    };
    keep('one', 'two', 'three');
    box.release(always);
    expect(seen).toEqual(['one']);
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

  test('those who wait are called back once each, in order, behind the messages', () => {
    const { box, seen, keep } = inbox();
    box.callBack(() => seen.push('callback one'));
    keep('message');
    box.callBack(() => seen.push('callback two'));
    box.release(always);
    box.release(always);
    box.discard();
    expect(seen).toEqual(['message', 'callback one', 'callback two']);
  });

  test('where a message closes, those who wait are called back all the same, and once', () => {
    const { box, keep } = inbox();
    let called = 0;
    box.dispatcher = () => void box.discard();
    keep('closes');
    box.callBack(() => called++);
    box.release(always);
    expect(called).toBe(1);
  });

  test('one who comes to wait in a callback is not called in the same round', () => {
    const { box } = inbox();
    const called: string[] = [];
    box.callBack(() => {
      called.push('first');
      box.callBack(() => called.push('second'));
    });
    box.release(always);
    expect(called).toEqual(['first']);
    box.discard();
    expect(called).toEqual(['first', 'second']);
  });

  test('without a dispatcher what was kept goes nowhere', () => {
    const { box, keep } = inbox();
    keep('one');
    box.dispatcher = undefined;
    box.release(always);
    expect(box.discard()).toBe(0);
  });
});
