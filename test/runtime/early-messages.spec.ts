import { describe, expect, test } from '@jest/globals';
import { EarlyMessages } from '../../src/runtime/early-messages.js';
import type { ReceivedData } from '../../src/runtime/socket.port.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';

const BUDGET = 100;

function early() {
  const clock = new ManualClock();
  const { port } = createSocketPair();
  return { clock, port, messages: new EarlyMessages(port, clock, BUDGET) };
}

const bytes = (count: number): Buffer => Buffer.alloc(count);

describe('messages that come early', () => {
  test('are taken in the order in which they came, as they came', () => {
    const { messages } = early();
    const [text, binary] = [Buffer.from('text'), Buffer.from('binary')];
    messages.add(text, false);
    messages.add(binary, true);
    expect(messages.size).toBe(2);
    expect(messages.take()).toMatchObject({ data: text, isBinary: false });
    expect(messages.take()).toMatchObject({ data: binary, isBinary: true });
    expect(messages.take()).toBeUndefined();
    expect(messages.size).toBe(0);
  });

  test('are read on up to the budget, and not a byte further', () => {
    const { messages, port, clock } = early();
    messages.add(bytes(BUDGET), true);
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    messages.add(bytes(1), true);
    expect(port.paused).toBe(true);
  });

  test.each<[string, ReceivedData]>([
    ['a Buffer', bytes(BUDGET + 1)],
    ['an ArrayBuffer', new ArrayBuffer(BUDGET + 1)],
    ['fragments', [bytes(BUDGET), bytes(1)]],
    ['a Blob', new Blob([bytes(BUDGET + 1)])],
  ])('count by their bytes, whatever binaryType made of them: %s', (_kind, data) => {
    const { messages, port } = early();
    messages.add(data, true);
    expect(port.paused).toBe(true);
  });

  test('a paused socket is read on once a second, so that a peer that left is found', () => {
    const { messages, port, clock } = early();
    messages.add(bytes(BUDGET + 1), true);
    clock.advance(999);
    expect(port.paused).toBe(true);
    clock.advance(1);
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
    messages.add(bytes(1), true);
    expect(port.paused).toBe(true);
    clock.advance(1_000);
    expect(port.paused).toBe(false);
  });

  test('what a frame or two more bring while it is paused does not put off the next look', () => {
    const { messages, port, clock } = early();
    messages.add(bytes(BUDGET + 1), true);
    clock.advance(600);
    messages.add(bytes(10), true);
    clock.advance(400);
    expect(port.paused).toBe(false);
    expect(port.calls).toEqual(['pause', 'resume']);
  });

  test('past twice the budget it is read on no more', () => {
    const { messages, port, clock } = early();
    messages.add(bytes(BUDGET + 1), true);
    messages.add(bytes(BUDGET - 1), true);
    clock.advance(60_000);
    expect(port.paused).toBe(true);
    expect(clock.pendingTimers).toBe(0);
    messages.end();
    expect(port.paused).toBe(false);
  });

  test('one byte below twice the budget it still is', () => {
    const { messages, port, clock } = early();
    messages.add(bytes(2 * BUDGET - 1), true);
    clock.advance(1_000);
    expect(port.paused).toBe(false);
  });

  test('the end forgets what is left, reads on, and leaves no timer', () => {
    const { messages, port, clock } = early();
    messages.add(bytes(BUDGET + 1), true);
    messages.end();
    expect(port.paused).toBe(false);
    expect(messages.size).toBe(0);
    expect(messages.take()).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });

  test('the end does not resume a socket that the app has paused', () => {
    const { messages, port } = early();
    messages.add(bytes(1), true);
    port.pause();
    messages.end();
    expect(port.paused).toBe(true);
  });
});
