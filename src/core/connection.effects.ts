import type { RaceKind } from './races.js';

/** What the runtime performs, in the order given; the core performs nothing. */
export type Effect =
  /** Start the handlers of the messages that waited. */
  | 'dispatch-waiting'
  /** Give up the messages that waited, and read on, so that close frames and pongs are seen. */
  | 'discard-waiting'
  /**
   * Abort the signal, and cut off what can't reply any more: all but single replies while the
   * phase accepts messages, then those, too. Idempotent.
   */
  | 'abort-handlers'
  /** Report `macrotaskEnded` once the running macrotask is over. */
  | 'await-macrotask'
  /** Write the ping whose pong proves that all before it was read. */
  | 'write-ping'
  /** Write the close frame of `context.sent`. */
  | 'write-close'
  /** End the socket once what was given to it is written; nothing else will be. */
  | 'end-socket'
  /**
   * Close the socket once what was given to it is written: the peer has read it, and sends nothing
   * more.
   */
  | 'close-socket'
  /** Close the socket at once, whatever is unwritten. */
  | 'destroy-socket'
  /** Start the timer of the phase anew. */
  | 'restart-timer'
  /** Everything accepted so far was read by the peer. */
  | 'acknowledge'
  /** Give every open send its outcome, then the close its own. */
  | 'settle'
  /** A race was met: count it and tell of it. */
  | `tell:${RaceKind}`;
