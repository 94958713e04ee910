import { describe, expect, it } from '@jest/globals';
import type { CloseRequest } from '../../src/core/close-request.js';
import { CONNECTING, OPEN, type ConnectionContext } from '../../src/core/connection.context.js';
import type { ConnectionEvent } from '../../src/core/connection.events.js';
import { TABLE } from '../../src/core/connection.table.js';
import { transitionOf } from '../../src/core/connection.transition.js';
import { IllegalEventError } from '../../src/core/errors.js';
import { BECOMES } from './connection.table.expected.js';

const request = { code: 4000, reason: 'why', precedence: 30, handlers: 'abort', at: 1 } as const;
const lenient: CloseRequest = { ...request, handlers: 'finish' };
const frame = { code: 3999, reason: 'the peer leaves' };

const EVENTS: [name: string, event: ConnectionEvent][] = [
  ['ready', { type: 'ready' }],
  ['rejected', { type: 'rejected', request: lenient }],
  ['overflowed', { type: 'overflowed', request: lenient }],
  ['readyTimeout', { type: 'readyTimeout', request: lenient }],
  ['closeRequested (finish)', { type: 'closeRequested', request: lenient }],
  ['closeRequested (abort)', { type: 'closeRequested', request }],
  ['terminateRequested', { type: 'terminateRequested' }],
  ['protocolFailed', { type: 'protocolFailed', request: lenient }],
  ['peerClosed', { type: 'peerClosed', frame }],
  ['peerEnded', { type: 'peerEnded' }],
  ['peerLost', { type: 'peerLost' }],
  ['socketClosed', { type: 'socketClosed' }],
  ['macrotaskEnded', { type: 'macrotaskEnded', running: false, unwritten: false }],
  ['macrotaskEnded (unwritten)', { type: 'macrotaskEnded', running: false, unwritten: true }],
  ['macrotaskEnded (running)', { type: 'macrotaskEnded', running: true, unwritten: true }],
  ['handlersSettled', { type: 'handlersSettled' }],
  ['settleTimeout', { type: 'settleTimeout', unwritten: false }],
  ['settleTimeout (unwritten)', { type: 'settleTimeout', unwritten: true }],
  ['flushed', { type: 'flushed' }],
  ['progress', { type: 'progress' }],
  ['flushTimeout', { type: 'flushTimeout' }],
  ['closePong', { type: 'closePong' }],
  ['handshakeTimeout', { type: 'handshakeTimeout' }],
  ['deadline', { type: 'deadline' }],
];

const closing: ConnectionContext = { ...OPEN, initiator: 'server', requests: [lenient] };
const sent = { code: 1000, reason: 'bye' };

/** What is known when each phase is told of an event. */
const KNOWN: Record<string, ConnectionContext> = {
  connecting: CONNECTING,
  open: OPEN,
  'draining.macrotask': { ...closing, phase: 'draining.macrotask' },
  'draining.macrotask, the peer has closed': {
    ...closing,
    phase: 'draining.macrotask',
    received: frame,
  },
  'draining.handlers': { ...closing, phase: 'draining.handlers' },
  'draining.flush': { ...closing, phase: 'draining.flush' },
  'draining.flush, nothing is read any more': { ...closing, phase: 'draining.flush', deaf: true },
  'closing.handshake': { ...closing, phase: 'closing.handshake', sent },
  'closing.handshake, the pong was read': {
    ...closing,
    phase: 'closing.handshake',
    sent,
    acknowledged: true,
  },
  'closing.end': { ...closing, phase: 'closing.end' },
  'closing.end, our close frame is written': { ...closing, phase: 'closing.end', sent },
  'closing.terminate': { ...closing, phase: 'closing.terminate' },
  closed: { ...closing, phase: 'closed' },
};

/** What was written down, in the order of the context's fields. */
function noted(from: ConnectionContext, to: ConnectionContext): string[] {
  return Object.entries(to).flatMap(([field, value]) => {
    if (field === 'phase' || value === from[field as keyof ConnectionContext]) return [];
    if (field === 'requests') return to.requests.length > from.requests.length ? ['request'] : [];
    return [value === true || typeof value === 'object' ? field : `${field}: ${value}`];
  });
}

/** A line for each event that the phase takes; for every other one there is an error. */
function lifeOf(from: ConnectionContext): string[] {
  const transition = transitionOf(TABLE);
  return EVENTS.flatMap(([name, event]) => {
    try {
      const { context: to, effects } = transition(from, event);
      const phase = to.phase === from.phase ? [] : [`→ ${to.phase}`];
      const notes = noted(from, to);
      const known = notes.length > 0 ? [`(${notes.join(', ')})`] : [];
      return [[name, ...phase, ...known, ...effects].join(' ')];
    } catch (error) {
      expect(error).toBeInstanceOf(IllegalEventError);
      return [];
    }
  });
}

describe('the transition table', () => {
  it.each(Object.keys(KNOWN))('says what becomes of every event: %s', (known) => {
    expect(lifeOf(KNOWN[known]!)).toEqual(BECOMES[known]);
  });
});
