import type { HandlersPolicy } from '../core/close-request.js';
import type { ConnectionState } from '../core/connection.phases.js';
import type { CloseOutcome, SendOutcome } from '../core/outcomes.js';
import type { MessageData } from './socket.port.js';

/** The upgrade request, as far as it is kept. */
export interface ConnectionRequest {
  /** Path and query, as the client sent them. */
  readonly url: string;
  /** The address of the other end of the TCP connection. */
  readonly ip: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface SendOptions {
  /**
   * Settle once the peer's protocol stack has read the message, rather than once the kernel has
   * taken it.
   *
   * @default `send.acknowledge` of the module's options
   */
  readonly acknowledge?: boolean;
  /**
   * Where it is aborted before the message is accepted, the send is refused with
   * `cause: 'aborted'`: one that comes too late, or that waits by `overflow: 'wait'`.
   */
  readonly signal?: AbortSignal;
  /**
   * Messages with the same key are conflated while the reader is behind: a newer one takes the
   * place of one that waits in the queue, which is `dropped` with `cause: 'conflated'`.
   */
  readonly conflate?: string;
}

export interface CloseOptions {
  /**
   * What becomes of handlers in flight: `'abort'` cuts them off at once, `'finish'` lets them
   * reply within `handlers.settleTimeout`. The strictest of all who close decides.
   *
   * @default `close.handlers` of the module's options
   */
  readonly handlers?: HandlersPolicy;
  /** Milliseconds without progress of the reader. The shortest of all who close decides. */
  readonly flushTimeout?: number;
  /** Milliseconds for the peer's answer. The shortest of all who close decides. */
  readonly handshakeTimeout?: number;
  /**
   * Overrides the severity of the code: 10 for 1000; 20 for 1001, 1012, 1013; 30 for 3000–4999;
   * 40 for 1002–1011; 0 for no code. The highest made before the close frame is written decides.
   */
  readonly precedence?: number;
}

/** One WebSocket connection and everything that may be done with it. */
export interface Connection {
  readonly id: string;
  readonly state: ConnectionState;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  /** Whose it is, once `identify()` or the `identity` option has said so. */
  readonly identity: string | undefined;
  /** Milliseconds that the last heartbeat's ping took to be answered. */
  readonly latency: number | undefined;
  /** When the peer was last heard of, in milliseconds since the epoch. */
  readonly lastSeenAt: number;
  /** Bytes accepted that the kernel has not taken. */
  readonly bufferedAmount: number;
  /** Handlers that run at this moment. */
  readonly inFlight: number;
  readonly request: ConnectionRequest;
  /** Aborted once a reply can no longer be sent. */
  readonly signal: AbortSignal;
  /** For the app to keep what it likes. */
  readonly data: Record<string, unknown>;
  /** Settles at the end of the connection; never rejects. */
  readonly closed: Promise<CloseOutcome>;
  /** Sends what ws's `send()` takes. Never rejects. */
  send(data: MessageData, options?: SendOptions): Promise<SendOutcome>;
  /** Sends Nest's `{ event, data }` frame. Never rejects. */
  emit(event: string, data?: unknown, options?: SendOptions): Promise<SendOutcome>;
  /** As `emit`, without a promise: whether it was accepted. */
  post(event: string, data?: unknown, options?: Pick<SendOptions, 'conflate'>): boolean;
  /**
   * For who produces more than a reader may take: settles with `true` once less than half of
   * `send.highWaterMark` waits for the reader, at once where nothing has to wait; with `false`
   * where nothing is accepted any more. Never rejects.
   */
  writable(): Promise<boolean>;
  /**
   * Whether the peer's stack has read all sent so far but what was dropped, within `timeout` ms; of
   * one that closes, what its outcome says, of which nothing may have been dropped. Never rejects.
   */
  acknowledged(timeout?: number): Promise<boolean>;
  /**
   * Closes with a close frame that follows everything accepted. Settles within the budgets of
   * `close`, and never rejects; all who close get the same outcome.
   *
   * @param code - default 1000; an invalid one is mended and told (see `invalid-close-arguments`)
   */
  close(code?: number, reason?: string, options?: CloseOptions): Promise<CloseOutcome>;
  /** Destroys the socket; what is unsent is lost. Never rejects. */
  terminate(): Promise<CloseOutcome>;
  /**
   * Says whose the connection is, in place of the `identity` option. Where former connections of
   * the same identity are closing, it settles once their `handleDisconnect` has ended, within
   * `handlers.settleTimeout`: await it in `handleConnection` before you mark somebody as online.
   */
  identify(identity: string): Promise<void>;
  /** The rooms that it is in; once it has ended, those that it was in. */
  readonly rooms: ReadonlySet<string>;
  /** Joins rooms, by names that are not empty; one that is closing joins none. */
  join(...rooms: string[]): void;
  /** Leaves rooms; at its end a connection leaves all. */
  leave(...rooms: string[]): void;
  /** Closes with 4401 at that moment, in place of any earlier one; `undefined`: never. */
  expiresAt(date: Date | undefined): void;
}
