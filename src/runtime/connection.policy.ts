import type { HandlersPolicy } from '../core/close-request.js';

/** What a connection may take, with every default applied; times in ms, sizes in bytes. */
export interface ConnectionPolicyValues {
  readonly connect: {
    readonly timeout: number;
    readonly waitFor: 'handleConnection' | 'nothing';
    readonly maxPendingBytes: number;
  };
  readonly send: { readonly highWaterMark: number; readonly acknowledge: boolean };
  readonly close: {
    readonly handlers: HandlersPolicy;
    readonly flushTimeout: number;
    readonly handshakeTimeout: number;
    readonly maxTimeout: number;
  };
  readonly handlers: { readonly settleTimeout: number };
  readonly heartbeat: HeartbeatPolicy | false;
  readonly session: SessionPolicy;
}

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
  send: { highWaterMark: 64 * 1024, acknowledge: false },
  close: { handlers: 'abort', flushTimeout: 5_000, handshakeTimeout: 5_000, maxTimeout: 30_000 },
  handlers: { settleTimeout: 5_000 },
  heartbeat: { interval: 25_000, timeout: 20_000 },
  session: { onExcess: 'close-oldest' },
};
