import type { CloseFrame, HandlersPolicy } from '../../../src/core/close-request.js';
import type { ConnectionEvent, EventOf } from '../../../src/core/connection.events.js';

function closer(
  code: number | undefined,
  precedence: number,
  handlers: HandlersPolicy,
  reason: string,
): EventOf<'closeRequested'> {
  const request = { code, reason, precedence, handlers, at: precedence };
  return { type: 'closeRequested', request };
}

/** Parties that may close, by what they would say. */
export const GOODBYE = closer(1000, 10, 'abort', 'goodbye');
export const GOODBYE_AFTER_REPLIES = closer(1000, 10, 'finish', 'goodbye after replies');
export const GOING_AWAY = closer(1001, 20, 'finish', 'going away');
export const KICKED = closer(4001, 30, 'abort', 'kicked');
export const WORDLESS = closer(undefined, 0, 'finish', '');
export const INSISTENT = closer(1000, 50, 'abort', 'insistent');

export const PEER_FRAME: CloseFrame = { code: 3999, reason: 'the peer leaves' };

/** Handlers are to be aborted in all three cases, whatever the request says. */
const requestOf = (code: number, precedence: number, reason = '') =>
  closer(code, precedence, 'finish', reason).request;

export const EVENTS = {
  ready: { type: 'ready' },
  rejected: { type: 'rejected', request: requestOf(1008, 40) },
  readyTimeout: { type: 'readyTimeout', request: requestOf(1013, 20) },
  overflowed: { type: 'overflowed', request: requestOf(1013, 20, 'slow consumer') },
  terminateRequested: { type: 'terminateRequested' },
  protocolFailed: { type: 'protocolFailed', request: requestOf(1002, 40) },
  peerClosed: { type: 'peerClosed', frame: PEER_FRAME },
  peerEnded: { type: 'peerEnded' },
  peerLost: { type: 'peerLost' },
  handlersSettled: { type: 'handlersSettled' },
  socketClosed: { type: 'socketClosed' },
  flushed: { type: 'flushed' },
  progress: { type: 'progress' },
  flushTimeout: { type: 'flushTimeout' },
  closePong: { type: 'closePong' },
  handshakeTimeout: { type: 'handshakeTimeout' },
  deadline: { type: 'deadline' },
} as const satisfies Record<string, ConnectionEvent>;

/** One object for each event, as what became of it is remembered by it. */
function both<T>(make: (unwritten: boolean) => T): (unwritten: boolean) => T {
  const [no, yes] = [make(false), make(true)];
  return (unwritten) => (unwritten ? yes : no);
}

const whileRunning = both(
  (unwritten) => ({ type: 'macrotaskEnded', running: true, unwritten }) as const,
);
const whileIdle = both(
  (unwritten) => ({ type: 'macrotaskEnded', running: false, unwritten }) as const,
);

export const macrotaskEnded = (running: boolean, unwritten: boolean): ConnectionEvent =>
  running ? whileRunning(unwritten) : whileIdle(unwritten);
export const settleTimeout = both((unwritten) => ({ type: 'settleTimeout', unwritten }) as const);

const answers = new Map<CloseFrame, ConnectionEvent>();

/** The peer's answer, which echoes our frame (RFC 6455 §5.5.1). */
export function peerAnswered(frame: CloseFrame): ConnectionEvent {
  const known = answers.get(frame) ?? { type: 'peerClosed', frame };
  answers.set(frame, known);
  return known;
}
