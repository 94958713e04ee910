import { beforeEach, describe, expect, test } from '@jest/globals';
import type { HandlerCall, HandlerTraits } from '../../src/runtime/handler-call.js';
import { HandlerTurns } from '../../src/runtime/handler-turns.js';
import { InboundBudget } from '../../src/runtime/inbound-budget.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import type { FakePort } from '../support/fakes/fake.port.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';

const SERIAL: HandlerTraits = { order: 'serial' };
const CONCURRENT: HandlerTraits = { order: 'concurrent' };

let started: string[];
let running: Map<string, HandlerCall | undefined>;
let saturated: number;
let dispatching: boolean;
let port: FakePort;
let turns: HandlerTurns;

function start(maxInFlight = 100): void {
  ({ port } = createSocketPair());
  started = [];
  running = new Map();
  saturated = 0;
  dispatching = true;
  const host = {
    get inFlight() {
      return running.size;
    },
    get dispatching() {
      return dispatching;
    },
    onSaturated: () => saturated++,
  };
  const budget = new InboundBudget(port, new ManualClock());
  turns = new HandlerTurns(host, budget, { maxInFlight, maxQueuedBytes: 100 });
}

beforeEach(() => start());

function take(name: string, traits: HandlerTraits, bytes = 10): void {
  turns.take(traits, bytes, (call) => {
    started.push(name);
    running.set(name, call);
  });
}

/** As HandlerCalls does. */
function end(name: string): void {
  const call = running.get(name);
  running.delete(name);
  call?.end();
  turns.pump();
}

describe('serial handlers', () => {
  test('start one after the other, in the order in which they came', () => {
    for (const name of ['a', 'b', 'c']) take(name, SERIAL);
    expect(started).toEqual(['a']);
    expect(turns.size).toBe(2);
    end('a');
    expect(started).toEqual(['a', 'b']);
    end('b');
    end('c');
    take('d', SERIAL);
    expect(started).toEqual(['a', 'b', 'c', 'd']);
  });

  test('do not hold up concurrent ones', () => {
    take('a', SERIAL);
    take('b', SERIAL);
    take('c', CONCURRENT);
    expect(started).toEqual(['a', 'c']);
    end('c');
    expect(started).toEqual(['a', 'c']);
  });

  test('that end at once do not recurse, however many wait', () => {
    take('slow', SERIAL);
    let count = 0;
    for (let index = 0; index < 100_000; index++) {
      turns.take(SERIAL, 0, (call) => {
        count++;
        call!.end();
      });
    }
    expect(count).toBe(0);
    end('slow');
    expect(count).toBe(100_000);
  });
});

describe('at most so many', () => {
  test('run at once, and others start in the order in which they came', () => {
    start(2);
    take('a', CONCURRENT);
    take('b', SERIAL);
    take('c', SERIAL);
    take('d', CONCURRENT);
    take('e', CONCURRENT);
    expect(started).toEqual(['a', 'b']);
    end('b');
    expect(started).toEqual(['a', 'b', 'c']);
    end('a');
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    end('d');
    expect(started.at(-1)).toBe('e');
  });

  test('a concurrent one that came first goes first', () => {
    start(1);
    take('a', SERIAL);
    take('b', CONCURRENT);
    take('c', SERIAL);
    end('a');
    expect(started).toEqual(['a', 'b']);
    end('b');
    expect(started).toEqual(['a', 'b', 'c']);
  });
});

describe('messages that wait', () => {
  test('are told once they are too much, and read on when half has started', () => {
    start(1);
    take('a', CONCURRENT, 90);
    expect([saturated, port.paused]).toEqual([0, false]);
    take('b', CONCURRENT, 60);
    take('c', CONCURRENT, 60);
    take('d', CONCURRENT, 60);
    expect([saturated, port.paused]).toEqual([1, true]);
    end('a');
    expect(port.paused).toBe(true);
    end('b');
    expect(port.paused).toBe(true);
    end('c');
    expect(port.paused).toBe(false);
  });

  test('are not those that start at once, however large', () => {
    take('a', SERIAL, 1_000);
    take('b', CONCURRENT, 1_000);
    end('a');
    take('c', SERIAL, 1_000);
    expect(started).toEqual(['a', 'b', 'c']);
    expect([saturated, port.calls]).toEqual([0, []]);
  });

  test('start no more where handlers may not', () => {
    take('a', SERIAL);
    take('b', SERIAL);
    dispatching = false;
    end('a');
    take('c', CONCURRENT);
    expect(started).toEqual(['a']);
    expect(turns.discard()).toBe(2);
    expect(turns.discard()).toBe(0);
    dispatching = true;
    turns.pump();
    expect(started).toEqual(['a']);
  });
});

const conflate = (reply: unknown): string => String(reply);

test('a call knows the key of its replies, in either order', () => {
  take('a', { ...SERIAL, conflate });
  take('b', { ...CONCURRENT, conflate });
  take('c', CONCURRENT);
  expect(running.get('a')?.keyOf('x')).toBe('x');
  expect(running.get('b')?.keyOf('y')).toBe('y');
  expect(running.get('c')).toBeUndefined();
  end('b');
});
