import type { HandlersPolicy } from '../core/close-request.js';

/** Both ways between messages and frames, in place of JSON. */
export interface MessageSerializer {
  /** Encodes a reply, an event or an exception. What it throws is told, and nothing is sent. */
  encode(message: unknown): string | Buffer;
  /**
   * Decodes a frame; `undefined` drops it. A text frame comes as a string.
   * What it throws is counted as `unreadable-message`.
   */
  decode(data: Buffer | string, isBinary: boolean): { event: string; data: unknown } | undefined;
}

/** What may be set for one gateway, too, by `@ConnectionPolicy()`. Times in ms, sizes in bytes. */
export interface ConnectionPolicyOptions {
  connect?: {
    /**
     * How long `handleConnection` of all gateways together may take; then 1013.
     * Within the 3–45 s of its peers (graphql-ws 3, python websockets 10, Socket.IO 45).
     *
     * @default 10_000
     */
    timeout?: number;
    /**
     * `'nothing'` where `handleConnection` lives as long as the connection: handlers then start
     * at once, as on the stock adapter.
     *
     * @default 'handleConnection'
     */
    waitFor?: 'handleConnection' | 'nothing';
    /**
     * Bytes of messages that may wait for `handleConnection`; past them the socket is paused.
     *
     * @default 1_048_576
     */
    maxPendingBytes?: number;
  };
  send?: {
    /**
     * Bytes in the socket's own buffer past which messages wait in the connection's queue.
     * uWebSockets and SignalR take the same figure.
     *
     * @default 65_536
     */
    highWaterMark?: number;
    /**
     * Settle every `send()` and `emit()` once the peer's stack has read it.
     *
     * @default false
     */
    acknowledge?: boolean;
  };
  close?: {
    /**
     * What becomes of handlers in flight when somebody closes: `'abort'` cuts them off at once,
     * `'finish'` lets them reply within `handlers.settleTimeout`. If the peer has gone, always
     * `'abort'`. A handler must not await a close by `'finish'`: it would wait for itself, until
     * `handlers.settleTimeout`.
     *
     * @default 'abort'
     */
    handlers?: HandlersPolicy;
    /**
     * How long a reader may take nothing while what was accepted is written.
     * The deadline of coder/websocket, SignalR and Centrifuge.
     *
     * @default 5_000
     */
    flushTimeout?: number;
    /**
     * How long the peer may take to answer our close frame, counted from the last sign of life.
     *
     * @default 5_000
     */
    handshakeTimeout?: number;
    /**
     * The hard cap on a whole close, whatever progress is made; ws's own close timeout.
     *
     * @default 30_000
     */
    maxTimeout?: number;
  };
  handlers?: {
    /**
     * How long handlers may go on after a close by `'finish'`.
     *
     * @default 5_000
     */
    settleTimeout?: number;
  };
}

export interface SafeCloseOptions extends ConnectionPolicyOptions {
  /**
   * Whether `SafeCloseService` can be injected without importing the module again.
   *
   * @default true
   */
  isGlobal?: boolean;
  /**
   * `false`: the app's adapter stays, and `ConnectionLifecycleInterceptor`, which you bind
   * yourself, takes ownership of each socket.
   *
   * @default true
   */
  installAdapter?: boolean;
  /**
   * `'observe'`: the stock behaviour, with races only counted and logged, for adoption.
   *
   * @default 'enforce'
   */
  mode?: 'enforce' | 'observe';
  /** Not together with `WsAdapter`'s `messageParser`. */
  serializer?: MessageSerializer;
}
