import type { HandlersPolicy } from '../core/close-request.js';
import type { OverflowPolicy } from '../core/overflow.js';
import type { HandlerOrder } from './handler-call.js';
import type { Connection } from './connection.js';
import type { UnacknowledgedMessage } from './unacknowledged.js';

/** What a connection may take, with every default applied; times in ms, sizes in bytes. */
export interface ConnectionPolicyValues {
  readonly connect: {
    readonly timeout: number;
    readonly waitFor: 'handleConnection' | 'nothing';
    readonly maxPendingBytes: number;
  };
  readonly send: SendPolicy;
  readonly close: {
    readonly handlers: HandlersPolicy;
    readonly flushTimeout: number;
    readonly handshakeTimeout: number;
    readonly maxTimeout: number;
  };
  readonly handlers: HandlersLimits;
  readonly limits: { readonly messagesPerSecond?: number };
  readonly heartbeat: HeartbeatPolicy | false;
  readonly session: SessionPolicy;
}

export interface HandlersLimits {
  readonly order: HandlerOrder;
  readonly maxInFlight: number;
  readonly maxQueuedBytes: number;
  readonly settleTimeout: number;
}

export interface SendPolicy {
  readonly highWaterMark: number;
  readonly maxBuffered: number;
  readonly overflow: OverflowPolicy;
  readonly acknowledge: boolean;
  readonly onUnacknowledged?: OnUnacknowledged;
}

/** Takes back what the peer's stack is not known to have read, once the connection has ended. */
export type OnUnacknowledged = (
  connection: Connection,
  messages: readonly UnacknowledgedMessage[],
) => void | Promise<void>;

export interface HeartbeatPolicy {
  readonly interval: number;
  readonly timeout: number;
}

export interface SessionPolicy {
  readonly maxPerIdentity?: number;
  readonly onExcess: 'close-oldest' | 'reject-new';
  readonly maxAge?: number;
  /** Given the socket and the upgrade request, of which the runtime knows nothing. */
  readonly expiresAt?: (...args: never[]) => unknown;
}

/** The one place where defaults are applied; each figure's source stands with its option. */
export const DEFAULT_POLICY: ConnectionPolicyValues = {
  connect: { timeout: 10_000, waitFor: 'handleConnection', maxPendingBytes: 1024 * 1024 },
  send: {
    highWaterMark: 64 * 1024,
    maxBuffered: 1024 * 1024,
    overflow: 'close',
    acknowledge: false,
  },
  close: { handlers: 'abort', flushTimeout: 5_000, handshakeTimeout: 5_000, maxTimeout: 30_000 },
  handlers: {
    order: 'concurrent',
    maxInFlight: 1_000,
    maxQueuedBytes: 1024 * 1024,
    settleTimeout: 5_000,
  },
  limits: {},
  heartbeat: { interval: 25_000, timeout: 20_000 },
  session: { onExcess: 'close-oldest' },
};

/** Of all connections of one module together. */
export const DEFAULT_MAX_TOTAL_BUFFERED = 256 * 1024 * 1024;
