import type { ConnectionContext, Initiator } from './connection.context.js';
import type { Effect } from './connection.effects.js';
import type { ConnectionEvent, EventOf, EventType } from './connection.events.js';
import type { Phase } from './connection.phases.js';

/**
 * Conditions of a row. Each is about the event and what was known before it.
 *
 * - `finish`: the request lets handlers finish
 * - `running`: handlers are in flight, everybody who closed lets them finish, and the peer is there
 * - `unwritten`: something accepted has not been handed to the kernel
 * - `answering`: no answer to our close frame will be read, as the peer's was or nothing is
 * - `crossing`: our close frame is written, and no pong has shown that the peer read up to it
 */
export type Guard = 'finish' | 'running' | 'unwritten' | 'answering' | 'crossing';

/** What a row writes down in the context. */
export type Note =
  | `initiator:${Initiator}`
  | 'request'
  | 'received'
  | 'crossed'
  | 'deaf'
  | 'ended'
  | 'sent'
  | 'acknowledged'
  | 'flush-timeout'
  | 'terminated';

export interface Row {
  readonly from: readonly Phase[];
  readonly on: EventType;
  /** The first row whose guard holds applies. */
  readonly when?: Guard;
  /** Absent: the phase does not change. */
  readonly to?: Phase;
  readonly notes?: readonly Note[];
  readonly effects?: readonly Effect[];
}

export type Guards = Readonly<
  Record<Guard, (context: ConnectionContext, event: ConnectionEvent) => boolean>
>;

export const GUARDS: Guards = {
  finish: (_context, event) => (event as EventOf<'closeRequested'>).request.handlers === 'finish',
  running: (context, event) =>
    (event as EventOf<'macrotaskEnded'>).running &&
    context.handlers === 'finish' &&
    context.received === undefined,
  unwritten: (_context, event) => (event as EventOf<'macrotaskEnded' | 'settleTimeout'>).unwritten,
  answering: (context) => context.received !== undefined || context.deaf,
  crossing: (context) => context.sent !== undefined && !context.acknowledged,
};

const LIVE = ['connecting', 'open'] as const;
const DRAINING = ['draining.macrotask', 'draining.handlers', 'draining.flush'] as const;
const MACROTASK = ['draining.macrotask'] as const;
const HANDLERS = ['draining.handlers'] as const;
const FLUSH = ['draining.flush'] as const;
const HANDSHAKE = ['closing.handshake'] as const;
const END = ['closing.end'] as const;
const TERMINATE = ['closing.terminate'] as const;
const CLOSED = ['closed'] as const;

/** Nobody waits for an answer: the handshake is over, or will never be. */
const WRITE_ANSWER = ['write-close', 'end-socket'] as const;
const WRITE_CLOSE = ['abort-handlers', 'write-ping', 'write-close'] as const;

/**
 * The life of a connection, whole: nothing that decides stands elsewhere.
 *
 * A close that begins with a request of ours, a broken protocol or the peer's close frame passes
 * through `draining`, where the close frame waits for the macrotask, the handlers and the writes
 * (G2, G3, G8); the frame is written once, on the way into `closing` (G4). Where somebody
 * terminates, or the peer's stream or the socket ends, there is nothing to wait for. An event
 * that a late timer, hook or socket may still cause is a row that does nothing; one that can't
 * happen has no row, and is an error.
 */
export const TABLE: readonly Row[] = [
  { from: ['connecting'], on: 'ready', to: 'open', effects: ['dispatch-waiting'] },

  // Closing begins.
  {
    from: ['open'],
    on: 'closeRequested',
    when: 'finish',
    to: 'draining.macrotask',
    notes: ['initiator:server', 'request'],
    effects: ['discard-waiting', 'await-macrotask'],
  },
  {
    from: LIVE,
    on: 'closeRequested',
    to: 'draining.macrotask',
    notes: ['initiator:server', 'request'],
    effects: ['discard-waiting', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: LIVE,
    on: 'rejected',
    to: 'draining.macrotask',
    notes: ['initiator:server', 'request'],
    effects: ['discard-waiting', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: ['connecting'],
    on: 'readyTimeout',
    to: 'draining.macrotask',
    notes: ['initiator:server', 'request'],
    effects: ['tell:ready-timeout', 'discard-waiting', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: LIVE,
    on: 'overflowed',
    to: 'draining.macrotask',
    notes: ['initiator:server', 'request'],
    effects: ['tell:slow-consumer', 'discard-waiting', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: LIVE,
    on: 'protocolFailed',
    to: 'draining.macrotask',
    notes: ['initiator:server', 'request', 'deaf'],
    effects: ['tell:protocol-error', 'discard-waiting', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: LIVE,
    on: 'peerClosed',
    to: 'draining.macrotask',
    notes: ['initiator:peer', 'received'],
    effects: ['discard-waiting', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: LIVE,
    on: 'peerEnded',
    to: 'closing.end',
    notes: ['initiator:network', 'ended'],
    effects: ['discard-waiting', 'abort-handlers', 'end-socket'],
  },
  {
    from: LIVE,
    on: 'peerLost',
    to: 'closing.terminate',
    notes: ['initiator:network'],
    effects: ['tell:peer-lost', 'discard-waiting', 'abort-handlers', 'destroy-socket'],
  },
  {
    from: LIVE,
    on: 'terminateRequested',
    to: 'closing.terminate',
    notes: ['initiator:server', 'terminated'],
    effects: ['discard-waiting', 'abort-handlers', 'destroy-socket'],
  },
  {
    from: LIVE,
    on: 'socketClosed',
    to: 'closed',
    notes: ['initiator:network'],
    effects: ['discard-waiting', 'abort-handlers', 'settle'],
  },

  // The macrotask in which closing began.
  { from: MACROTASK, on: 'macrotaskEnded', when: 'running', to: 'draining.handlers' },
  {
    from: MACROTASK,
    on: 'macrotaskEnded',
    when: 'unwritten',
    to: 'draining.flush',
    effects: ['abort-handlers'],
  },
  {
    from: MACROTASK,
    on: 'macrotaskEnded',
    when: 'answering',
    to: 'closing.end',
    notes: ['sent'],
    effects: ['abort-handlers', ...WRITE_ANSWER],
  },
  {
    from: MACROTASK,
    on: 'macrotaskEnded',
    to: 'closing.handshake',
    notes: ['sent'],
    effects: WRITE_CLOSE,
  },

  // Handlers may finish. What is sent in the macrotask of the last one still goes out.
  {
    from: HANDLERS,
    on: 'handlersSettled',
    to: 'draining.macrotask',
    effects: ['await-macrotask'],
  },
  {
    from: HANDLERS,
    on: 'settleTimeout',
    when: 'unwritten',
    to: 'draining.flush',
    effects: ['tell:settle-timeout', 'abort-handlers'],
  },
  {
    from: HANDLERS,
    on: 'settleTimeout',
    to: 'closing.handshake',
    notes: ['sent'],
    effects: ['tell:settle-timeout', ...WRITE_CLOSE],
  },

  // Another party closes before the frame is written; a stricter one cuts the handlers off,
  // and its own macrotask still counts.
  {
    from: ['draining.macrotask', 'draining.handlers'],
    on: 'closeRequested',
    when: 'finish',
    notes: ['request'],
    effects: ['tell:concurrent-close'],
  },
  {
    from: MACROTASK,
    on: 'closeRequested',
    notes: ['request'],
    effects: ['tell:concurrent-close', 'abort-handlers'],
  },
  {
    from: HANDLERS,
    on: 'closeRequested',
    to: 'draining.macrotask',
    notes: ['request'],
    effects: ['tell:concurrent-close', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: FLUSH,
    on: 'closeRequested',
    notes: ['request'],
    effects: ['tell:concurrent-close'],
  },
  {
    from: MACROTASK,
    on: 'peerClosed',
    notes: ['received', 'crossed'],
    effects: ['tell:crossed-close', 'abort-handlers'],
  },
  {
    from: HANDLERS,
    on: 'peerClosed',
    to: 'draining.macrotask',
    notes: ['received', 'crossed'],
    effects: ['tell:crossed-close', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: FLUSH,
    on: 'peerClosed',
    notes: ['received', 'crossed'],
    effects: ['tell:crossed-close'],
  },
  {
    from: MACROTASK,
    on: 'protocolFailed',
    notes: ['request', 'deaf'],
    effects: ['tell:protocol-error', 'abort-handlers'],
  },
  {
    from: HANDLERS,
    on: 'protocolFailed',
    to: 'draining.macrotask',
    notes: ['request', 'deaf'],
    effects: ['tell:protocol-error', 'abort-handlers', 'await-macrotask'],
  },
  {
    from: FLUSH,
    on: 'protocolFailed',
    notes: ['request', 'deaf'],
    effects: ['tell:protocol-error'],
  },

  // What was accepted is being written.
  {
    from: FLUSH,
    on: 'flushed',
    when: 'answering',
    to: 'closing.end',
    notes: ['sent'],
    effects: WRITE_ANSWER,
  },
  {
    from: FLUSH,
    on: 'flushed',
    to: 'closing.handshake',
    notes: ['sent'],
    effects: ['write-ping', 'write-close'],
  },
  { from: FLUSH, on: 'progress', effects: ['restart-timer'] },
  {
    from: FLUSH,
    on: 'flushTimeout',
    to: 'closing.terminate',
    notes: ['flush-timeout'],
    effects: ['tell:flush-timeout', 'destroy-socket'],
  },

  // From anywhere in draining.
  {
    from: [...MACROTASK, ...FLUSH],
    on: 'peerEnded',
    when: 'answering',
    to: 'closing.end',
    notes: ['sent', 'ended'],
    effects: ['abort-handlers', ...WRITE_ANSWER],
  },
  {
    from: DRAINING,
    on: 'peerEnded',
    to: 'closing.end',
    notes: ['ended'],
    effects: ['abort-handlers', 'end-socket'],
  },
  {
    from: DRAINING,
    on: 'terminateRequested',
    to: 'closing.terminate',
    notes: ['terminated'],
    effects: ['abort-handlers', 'destroy-socket'],
  },
  {
    from: ['draining.macrotask', 'draining.handlers'],
    on: 'deadline',
    to: 'closing.terminate',
    notes: ['terminated'],
    effects: ['abort-handlers', 'destroy-socket'],
  },
  {
    from: FLUSH,
    on: 'deadline',
    to: 'closing.terminate',
    notes: ['flush-timeout'],
    effects: ['tell:flush-timeout', 'destroy-socket'],
  },
  { from: DRAINING, on: 'socketClosed', to: 'closed', effects: ['abort-handlers', 'settle'] },

  // Our close frame is written.
  {
    from: HANDSHAKE,
    on: 'closePong',
    notes: ['acknowledged'],
    effects: ['acknowledge', 'restart-timer'],
  },
  { from: HANDSHAKE, on: 'progress', effects: ['restart-timer'] },
  {
    from: HANDSHAKE,
    on: 'peerClosed',
    when: 'crossing',
    to: 'closing.end',
    notes: ['received', 'crossed'],
    effects: ['tell:crossed-close', 'end-socket'],
  },
  {
    from: HANDSHAKE,
    on: 'peerClosed',
    to: 'closing.end',
    notes: ['received'],
    effects: ['close-socket'],
  },
  {
    from: HANDSHAKE,
    on: 'protocolFailed',
    to: 'closing.end',
    notes: ['deaf'],
    effects: ['tell:protocol-error', 'end-socket'],
  },
  {
    from: HANDSHAKE,
    on: 'peerEnded',
    to: 'closing.end',
    notes: ['ended'],
    effects: ['end-socket'],
  },

  // The end of the socket is awaited. What the peer sent before the end of its stream may still
  // come out of a decompressor.
  { from: END, on: 'closePong', notes: ['acknowledged'], effects: ['acknowledge'] },
  {
    from: END,
    on: 'peerClosed',
    when: 'crossing',
    notes: ['received', 'crossed'],
    effects: ['tell:crossed-close'],
  },
  { from: END, on: 'peerClosed', notes: ['received'] },

  // From anywhere in closing.
  {
    from: [...HANDSHAKE, ...END],
    on: 'handshakeTimeout',
    to: 'closing.terminate',
    notes: ['terminated'],
    effects: ['tell:handshake-timeout', 'destroy-socket'],
  },
  {
    from: [...HANDSHAKE, ...END],
    on: 'deadline',
    to: 'closing.terminate',
    notes: ['terminated'],
    effects: ['tell:handshake-timeout', 'destroy-socket'],
  },
  {
    from: [...HANDSHAKE, ...END],
    on: 'terminateRequested',
    to: 'closing.terminate',
    notes: ['terminated'],
    effects: ['destroy-socket'],
  },
  {
    from: [...HANDSHAKE, ...END, ...TERMINATE],
    on: 'closeRequested',
    notes: ['request'],
    effects: ['tell:concurrent-close'],
  },
  {
    from: [...HANDSHAKE, ...END, ...TERMINATE],
    on: 'socketClosed',
    to: 'closed',
    effects: ['settle'],
  },
  {
    from: TERMINATE,
    on: 'handshakeTimeout',
    to: 'closed',
    effects: ['tell:transport-stuck', 'settle'],
  },

  // Too late to matter. A hook that rejects once closing has begun often does so because of it
  // (its signal was aborted), so this is no request of its own.
  { from: [...MACROTASK, ...FLUSH, ...HANDSHAKE, ...END, ...TERMINATE, ...CLOSED], on: 'ready' },
  { from: [...DRAINING, ...HANDSHAKE, ...END, ...TERMINATE, ...CLOSED], on: 'rejected' },
  { from: [...DRAINING, ...HANDSHAKE, ...END, ...TERMINATE, ...CLOSED], on: 'overflowed' },
  { from: [...END, ...TERMINATE, ...CLOSED], on: 'macrotaskEnded' },
  {
    from: [...MACROTASK, ...FLUSH, ...HANDSHAKE, ...END, ...TERMINATE, ...CLOSED],
    on: 'handlersSettled',
  },
  { from: [...MACROTASK, ...HANDLERS, ...END, ...TERMINATE], on: 'flushed' },
  { from: [...MACROTASK, ...HANDLERS, ...END, ...TERMINATE], on: 'progress' },
  { from: TERMINATE, on: 'closePong' },
  { from: TERMINATE, on: 'terminateRequested' },
  { from: [...END, ...TERMINATE], on: 'peerEnded' },
  { from: TERMINATE, on: 'peerClosed' },
  { from: [...END, ...TERMINATE], on: 'protocolFailed' },
  { from: CLOSED, on: 'closeRequested' },
  { from: CLOSED, on: 'terminateRequested' },
  { from: CLOSED, on: 'socketClosed', effects: ['tell:late-socket-event'] },
  { from: CLOSED, on: 'peerClosed', effects: ['tell:late-socket-event'] },
  { from: CLOSED, on: 'peerEnded', effects: ['tell:late-socket-event'] },
  { from: CLOSED, on: 'protocolFailed', effects: ['tell:late-socket-event'] },
  { from: CLOSED, on: 'closePong', effects: ['tell:late-socket-event'] },
  { from: CLOSED, on: 'progress', effects: ['tell:late-socket-event'] },
  { from: CLOSED, on: 'flushed', effects: ['tell:late-socket-event'] },
];
