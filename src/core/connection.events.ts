import type { CloseFrame, CloseRequest } from './close-request.js';

/** Everything that can happen to a connection, as far as its life is concerned. */
export type ConnectionEvent =
  /** `handleConnection` of every gateway has settled; once, and only where it is waited for. */
  | { readonly type: 'ready' }
  /** A `handleConnection` rejected; the request says with which code to close. */
  | { readonly type: 'rejected'; readonly request: CloseRequest }
  /** Not ready in time. */
  | { readonly type: 'readyTimeout'; readonly request: CloseRequest }
  /** Somebody on this side closes. */
  | { readonly type: 'closeRequested'; readonly request: CloseRequest }
  /** More was sent than there is room for; the request says with which code to close. */
  | { readonly type: 'overflowed'; readonly request: CloseRequest }
  /** Somebody on this side will not wait for anything any more. */
  | { readonly type: 'terminateRequested' }
  /** The peer broke the protocol; nothing but the end of its stream is read any more. */
  | { readonly type: 'protocolFailed'; readonly request: CloseRequest }
  /** The peer's close frame was read; nothing but the end of its stream is read after it. */
  | { readonly type: 'peerClosed'; readonly frame: CloseFrame }
  /** The peer ended its side of the socket (FIN). Ours can still be written to. */
  | { readonly type: 'peerEnded' }
  /** The peer has given no sign of life in time. */
  | { readonly type: 'peerLost' }
  /** The socket is gone. */
  | { readonly type: 'socketClosed' }
  /** The macrotask in which `await-macrotask` was performed is over. */
  | { readonly type: 'macrotaskEnded'; readonly running: boolean; readonly unwritten: boolean }
  /** The last handler in flight has ended. */
  | { readonly type: 'handlersSettled' }
  /** Handlers in flight have not ended in time. */
  | { readonly type: 'settleTimeout'; readonly unwritten: boolean }
  /** Everything accepted has been handed to the kernel. */
  | { readonly type: 'flushed' }
  /** The reader has taken something since the timer was started. */
  | { readonly type: 'progress' }
  /** The reader has taken nothing in time. */
  | { readonly type: 'flushTimeout' }
  /** The pong to the ping that went directly before our close frame. */
  | { readonly type: 'closePong' }
  /** The peer has not answered, or the socket not ended, in time. */
  | { readonly type: 'handshakeTimeout' }
  /** The hard cap on the whole close. */
  | { readonly type: 'deadline' };

export type EventType = ConnectionEvent['type'];
export type EventOf<T extends EventType> = Extract<ConnectionEvent, { type: T }>;
