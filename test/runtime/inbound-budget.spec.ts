import { describe, expect, test } from '@jest/globals';
import { InboundBudget } from '../../src/runtime/inbound-budget.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';

const LIMIT = 100;

function start() {
  const clock = new ManualClock();
  const { port } = createSocketPair();
  return { clock, port, budget: new InboundBudget(port, clock) };
}

describe('bytes that wait', () => {
  test('are read on up to the limit, and not a byte further', () => {
    const { budget, port, clock } = start();
    expect(budget.take(LIMIT, LIMIT)).toBe(false);
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    expect(budget.take(1, LIMIT)).toBe(true);
    expect(port.paused).toBe(true);
    expect(budget.take(1, LIMIT)).toBe(false);
  });

  test('are read on once half of the limit is left', () => {
    const { budget, port, clock } = start();
    budget.take(150, LIMIT);
    budget.give(99);
    expect(port.paused).toBe(true);
    budget.give(1);
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    budget.take(60, LIMIT);
    expect(port.paused).toBe(true);
  });
});

describe('a paused socket', () => {
  test('is probed and read on once a second, so that a peer that left is found', () => {
    const { budget, port, clock } = start();
    budget.take(LIMIT + 1, LIMIT);
    clock.advance(999);
    expect(port.paused).toBe(true);
    clock.advance(1);
    expect(port.calls).toEqual(['pause', 'probe', 'resume']);
    expect(clock.pendingTimers).toBe(0);
    expect(budget.take(1, LIMIT)).toBe(false);
    expect(port.paused).toBe(true);
    clock.advance(1_000);
    expect(port.paused).toBe(false);
  });

  test('is looked after in time, whatever comes while it is paused', () => {
    const { budget, port, clock } = start();
    budget.take(LIMIT + 1, LIMIT);
    clock.advance(600);
    budget.take(10, LIMIT);
    clock.advance(400);
    expect(port.calls).toEqual(['pause', 'probe', 'resume']);
  });

  test('is only probed where twice the limit waits', () => {
    const { budget, port, clock } = start();
    budget.take(2 * LIMIT, LIMIT);
    clock.advance(3_000);
    expect(port.calls.filter((call) => call !== 'pause')).toEqual(['probe', 'probe', 'probe']);
    expect(port.paused).toBe(true);
    budget.end();
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is still read on where one byte less waits', () => {
    const { budget, port, clock } = start();
    budget.take(2 * LIMIT - 1, LIMIT);
    clock.advance(1_000);
    expect(port.paused).toBe(false);
  });
});

describe('the end', () => {
  test('reads on, and leaves no timer', () => {
    const { budget, port, clock } = start();
    budget.take(LIMIT + 1, LIMIT);
    budget.end();
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('does not resume a socket that the app has paused', () => {
    const { budget, port } = start();
    budget.take(1, LIMIT);
    port.pause();
    budget.give(1);
    budget.end();
    expect(port.paused).toBe(true);
  });
});
