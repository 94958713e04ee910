import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { HandlersPolicy } from '../core/close-request.js';
import type { OverflowPolicy } from '../core/overflow.js';
import type { HandlerOrder } from '../runtime/handler-call.js';
import type { OnUnacknowledged } from '../runtime/connection.policy.js';

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
     * Bytes that one connection may hold for a reader that is past the high-water mark: those the
     * kernel has not taken, and those kept until they are acknowledged. Centrifuge's figure.
     * `Infinity`: no limit.
     *
     * @default 1_048_576
     */
    maxBuffered?: number;
    /**
     * What becomes of a message for which there is no room. `'close'`: refused, and the slow
     * consumer is closed with 1013. `'refuse'`: refused. `'drop-oldest'`: the oldest that wait
     * are dropped for it. `'wait'`: its `send()` or `emit()` settles once there was room;
     * `post()` can't wait, and is refused.
     *
     * @default 'close'
     */
    overflow?: OverflowPolicy;
    /**
     * Called once a connection has ended, with the messages that were accepted and are not known
     * to have been read, in order, as many bytes as `maxBuffered` at most. With it, every message
     * is kept until the peer's stack has read it, and asked for by pings. A drain waits for it.
     */
    onUnacknowledged?: OnUnacknowledged;
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
     * `'serial'`: the handlers of one connection run one after the other, in the order of their
     * messages. `@Serial()` and `@Concurrent()` on a handler or a gateway say otherwise.
     *
     * @default 'concurrent'
     */
    order?: HandlerOrder;
    /**
     * How many handlers of one connection may run at once; further messages wait. Ten times the
     * least that RFC 9113 §6.5.2 recommends for the streams of one HTTP/2 connection.
     *
     * @default 1_000
     */
    maxInFlight?: number;
    /**
     * Bytes of messages that may wait for their handler; past them the socket is paused, and read
     * on once half of them are left.
     *
     * @default 1_048_576
     */
    maxQueuedBytes?: number;
    /**
     * How long handlers may go on after a close by `'finish'`.
     *
     * @default 5_000
     */
    settleTimeout?: number;
  };
  /**
   * Pings that find peers which have gone without a word; `false`: none. Whatever a peer sends,
   * and whatever it takes of what is sent to it, counts as a sign of life.
   */
  heartbeat?:
    | {
        /**
         * How often each connection is pinged; the first ping comes after a random part of it.
         * Socket.IO's figure; below the 60 s after which load balancers cut idle connections.
         *
         * @default 25_000
         */
        interval?: number;
        /**
         * How long a ping may go without a sign of life before the connection is given up as
         * lost (1006). The figure of Socket.IO and python websockets.
         *
         * @default 20_000
         */
        timeout?: number;
      }
    | false;
  session?: {
    /** How many connections one identity may have; none is closed for it by default. */
    maxPerIdentity?: number;
    /**
     * What happens to one too many, once its `handleConnection` has accepted it: the oldest is
     * closed, or the new one is, either with 4409.
     *
     * @default 'close-oldest'
     */
    onExcess?: 'close-oldest' | 'reject-new';
    /**
     * How old a connection may become. It is then closed with 1012, handlers finish; up to a tenth
     * of it earlier, at random, so that connections made at once don't all return at once.
     */
    maxAge?: number;
    /**
     * When the client's credential expires: it is then closed with 4401, unless
     * `connection.expiresAt()` has put that off. Asked once `handleConnection` has accepted it.
     */
    expiresAt?: (client: WebSocket, request: IncomingMessage) => Date | undefined;
  };
  limits?: {
    /**
     * How many messages a second one connection may send, in bursts of as many; further ones wait
     * within `handlers.maxQueuedBytes`, and none is dropped. No limit by default.
     */
    messagesPerSecond?: number;
  };
}

/** Says before the upgrade whether a client may connect; a status refuses it, `false` is 401. */
export type Authorize = (
  request: IncomingMessage,
) => boolean | { readonly status: number } | Promise<boolean | { readonly status: number }>;

/** Platforms whose limits are known. */
export type Platform = 'cloud-run' | 'kubernetes';

export interface ShutdownOptions {
  /**
   * Of the close frame that clients get. 1001 (going away), or 1012 (service restart) where
   * clients are to come back.
   *
   * @default 1001
   */
  code?: number;
  /**
   * At most 123 bytes of UTF-8 (RFC 6455 §5.5).
   *
   * @default 'server is shutting down'
   */
  reason?: string;
  /**
   * The one deadline of a drain, `readinessDelay` included: what is left then is terminated, and
   * `app.close()` goes on. Cloud Run leaves 10 s between SIGTERM and SIGKILL.
   *
   * @default 10_000
   */
  timeout?: number;
  /**
   * How many connections are asked to close at once. Larger ones are made where the batches would
   * take more than half of the time. Ten thousand in two seconds by default, as Phoenix does.
   *
   * @default 1_000
   */
  batchSize?: number;
  /**
   * Between two batches; half of it more or less, at random. 0: all at once.
   *
   * @default 200
   */
  batchInterval?: number;
  /**
   * How long readiness is reported down before anything else happens, so that load balancers
   * stop sending clients here first.
   *
   * @default 0
   */
  readinessDelay?: number;
  /**
   * What refused upgrades are told to wait, as `Retry-After` in whole seconds. RFC 6455 §7.2.3
   * asks for a first delay of up to 5 s.
   *
   * @default 5_000
   */
  retryAfter?: number;
  /** Defaults of every budget for one platform, checked against its limits at boot. */
  preset?: Platform;
}

export interface SafeCloseOptions extends ConnectionPolicyOptions {
  limits?: ConnectionPolicyOptions['limits'] & {
    /**
     * How many connections the app takes in all, those that wait for `authorize` included; more
     * are refused with 503 and `Retry-After`. No limit by default.
     */
    maxConnections?: number;
    /**
     * The same for one client address, as `trustProxy` tells it; more are refused with 429 and
     * `Retry-After`. No limit by default.
     */
    maxConnectionsPerIp?: number;
  };
  send?: ConnectionPolicyOptions['send'] & {
    /**
     * Bytes that all connections together may hold for their readers; past them the policy acts
     * on those whose readers lag behind. `Infinity`: no limit.
     *
     * @default 268_435_456
     */
    maxTotalBuffered?: number;
  };
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
  /**
   * Asked before each upgrade; what it throws refuses with 500, and with 503 where it has not
   * settled within `connect.timeout`.
   */
  authorize?: Authorize;
  /**
   * Origins that browsers may connect from: `https://app.example`, `'null'`, or a `RegExp`, which
   * needs its own `^` and `$`. Others are refused with 403; without an `Origin` header a request
   * is no browser's and passes.
   */
  allowedOrigins?: (string | RegExp)[];
  /**
   * Which proxies' `X-Forwarded-For` is believed for `connection.request.ip`, as in Express:
   * all, how many hops, or their addresses and subnets (`loopback`, `10.0.0.0/8`).
   *
   * @default false
   */
  trustProxy?: boolean | number | string[];
  /**
   * Who the client is, or a promise of it. It decides once `handleConnection` has accepted the
   * client; asked before that, too, so that the `handleDisconnect` of a closing connection of the
   * same identity ends first. `connection.identify()` is the way from inside `handleConnection`.
   */
  identity?: (
    client: WebSocket,
    request: IncomingMessage,
  ) => string | undefined | Promise<string | undefined>;
  /** How `app.close()`, SIGTERM and `drain()` end all connections. */
  shutdown?: ShutdownOptions;
}
