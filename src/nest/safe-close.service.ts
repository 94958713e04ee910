import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import type { WebSocket } from 'ws';
import { ABNORMAL_CLOSURE } from '../core/close-code.js';
import { SetupError } from '../core/errors.js';
import type { CloseOutcome, SendOutcome } from '../core/outcomes.js';
import { broadcast, refusedBroadcast } from '../runtime/broadcast.js';
import type { BroadcastOutcome } from '../runtime/broadcast-tally.js';
import { closeAll, type CloseSummary } from '../runtime/close-all.js';
import type { CloseOptions, Connection, SendOptions } from '../runtime/connection.js';
import type { DrainProgress, DrainReport } from '../runtime/drain.js';
import { encodeFrame } from '../runtime/frame.js';
import type { LifecycleReport } from '../runtime/lifecycle.report.js';
import type { RegisteredConnection } from '../runtime/runtime.js';
import { conflating } from '../runtime/sender.js';
import type { MessageData } from '../runtime/socket.port.js';
import { isWebSocket } from '../ws/base-members.js';
import { track } from '../ws/owned-websocket.js';
import { observationOf, ownerOf } from '../ws/ownership.js';
import type { LifecycleEvent } from './lifecycle.events.js';
import type { SafeCloseEngine } from './safe-close.engine.js';
import { SAFE_CLOSE_ENGINE } from './safe-close.tokens.js';
import type { DrainOptions } from './shutdown.js';
import { namedBy, type Target } from './target.js';

/** A connection, named by its ws socket or by its id. */
export type Client = WebSocket | string;

const UNKNOWN_CLIENT: SendOutcome = Object.freeze({ status: 'refused', cause: 'unknown-client' });

function unknownClose(client: unknown): CloseOutcome {
  return Object.freeze({
    connectionId: typeof client === 'string' ? client : '',
    initiator: 'network',
    handshake: 'lost',
    code: ABNORMAL_CLOSURE,
    reason: '',
    requests: [],
    acknowledged: false,
    written: 0,
    dropped: 0,
    lost: 0,
    refusedReplies: 0,
    durationMs: 0,
  });
}

/**
 * Sends to and closes any connection of the app. No method throws, and no promise rejects: each
 * ends in an outcome. A client without an owner, or one that has ended and is named by its id, is
 * unknown: sends are refused, closes are `lost` with 1006.
 */
@Injectable()
export class SafeCloseService {
  readonly #engine: SafeCloseEngine;
  /** The connections that have not ended. */
  readonly connections: Iterable<Connection> & { readonly size: number };
  /** Everything that happens; what a subscriber throws is logged and harms nobody. */
  readonly events$: Observable<LifecycleEvent>;

  /** How far the drain has come; completes with it. */
  readonly drain$: Observable<DrainProgress>;

  constructor(@Inject(SAFE_CLOSE_ENGINE) engine: SafeCloseEngine) {
    this.#engine = engine;
    this.connections = engine.runtime.connections;
    this.events$ = engine.events.events$;
    this.drain$ = engine.drain.drain$;
  }

  /** Sends what ws's `send()` takes; see `Connection.send`. */
  send(client: Client, data: MessageData, options?: SendOptions): Promise<SendOutcome> {
    return this.#find(client)?.send(data, options) ?? Promise.resolve(UNKNOWN_CLIENT);
  }

  /** Sends Nest's `{ event, data }` frame. */
  emit(client: Client, event: string, data?: unknown, options?: SendOptions): Promise<SendOutcome> {
    return this.#find(client)?.emit(event, data, options) ?? Promise.resolve(UNKNOWN_CLIENT);
  }

  /** As `emit`, without a promise: whether it was accepted. */
  post(
    client: Client,
    event: string,
    data?: unknown,
    options?: Pick<SendOptions, 'conflate'>,
  ): boolean {
    return this.#find(client)?.post(event, data, options) ?? false;
  }

  /** Whether there is room for more, once there is; see `Connection.writable`. */
  writable(client: Client): Promise<boolean> {
    return this.#find(client)?.writable() ?? Promise.resolve(false);
  }

  /**
   * Whether the peer's protocol stack has read all that was sent so far: its pong to a ping sent
   * behind it proves that, for any RFC 6455 client.
   *
   * @param timeout - milliseconds to wait; default `close.flushTimeout`
   */
  acknowledged(client: Client, timeout?: number): Promise<boolean> {
    return this.#find(client)?.acknowledged(timeout) ?? Promise.resolve(false);
  }

  /**
   * Closes with a close frame that follows everything accepted. All who close one connection get
   * the same outcome, within the budgets of `close`.
   *
   * @param code - default 1000; an invalid one is mended and told
   * @param reason - cut to 123 bytes of UTF-8 (RFC 6455 §5.5)
   */
  close(
    client: Client,
    code?: number,
    reason?: string,
    options?: CloseOptions,
  ): Promise<CloseOutcome> {
    const owner = this.#find(client);
    return owner ? owner.close(code, reason, options) : Promise.resolve(unknownClose(client));
  }

  /** Destroys the socket; what is unsent is lost. */
  terminate(client: Client): Promise<CloseOutcome> {
    return this.#find(client)?.terminate() ?? Promise.resolve(unknownClose(client));
  }

  /** The connection of a client; `undefined` where it is unknown. */
  connection(client: Client): Connection | undefined {
    return this.#find(client);
  }

  /**
   * Ends every connection within one deadline, as `app.close()` and SIGTERM do (G10); upgrades are
   * refused from then on. Who calls it again, or closes the app, joins what has begun.
   *
   * @param options - over `shutdown` of the module's options; a faulty one is ignored, and told
   */
  drain(options?: DrainOptions): Promise<DrainReport> {
    return this.#engine.drain.drain(options);
  }

  /** A drain has begun: report the server as not ready. */
  get isDraining(): boolean {
    return this.#engine.drain.isDraining;
  }

  /**
   * Closes all that a target names, each as `close` does, all with the same code.
   *
   * @param target - `{}` names all; a condition that is `undefined`, or no condition, names nobody
   */
  closeWhere(
    target: Target,
    code?: number,
    reason?: string,
    options?: CloseOptions,
  ): Promise<CloseSummary> {
    return closeAll(this.#named(target), code, reason, options);
  }

  /**
   * Sends Nest's `{ event, data }` frame to all that a target names and that are open at this
   * moment, encoded once. Who joins later gets nothing, who leaves meanwhile counts as refused or
   * lost, and slow readers are treated as `send.overflow` says.
   *
   * @param target - as for `closeWhere`
   * @returns settles once it has for each of them
   */
  broadcast(
    target: Target,
    event: string,
    data?: unknown,
    options?: Pick<SendOptions, 'conflate'>,
  ): Promise<BroadcastOutcome> {
    const { encode, observer } = this.#engine.runtime;
    const targets = this.#named(target, true);
    if (targets.length === 0) return broadcast([], '');
    const frame = encodeFrame(encode, { event, data }, (kind, detail) => {
      observer.race(kind, '', detail);
    });
    return frame === undefined
      ? Promise.resolve(refusedBroadcast(targets.length, 'unserializable'))
      : broadcast(targets, frame, conflating(options));
  }

  /** Puts a client into rooms; false where it is unknown, or closing. */
  join(client: Client, ...rooms: string[]): boolean {
    const connection = this.#find(client);
    if (!connection?.live) return false;
    connection.join(...rooms);
    return true;
  }

  /** Takes a client out of rooms; false where it is unknown. */
  leave(client: Client, ...rooms: string[]): boolean {
    const connection = this.#find(client);
    connection?.leave(...rooms);
    return connection !== undefined;
  }

  /** The rooms that a client is in; none where it is unknown. */
  rooms(client: Client): ReadonlySet<string> {
    return this.#find(client)?.rooms ?? new Set();
  }

  #named(target: Target, liveOnly = false): RegisteredConnection[] {
    const { runtime } = this.#engine;
    return namedBy(target, {
      runtime,
      liveOnly,
      find: (client) => this.#find(client),
      onError: (error) => {
        const message = 'A target, or its where, threw.';
        runtime.observer.race('listener-error', '', { message, error });
      },
    });
  }

  /** What has happened since the module was created. */
  report(): LifecycleReport {
    const { statistics, runtime } = this.#engine;
    return statistics.report(Array.from(runtime.connections, (owner) => owner.totals));
  }

  /**
   * Takes ownership of a socket that the app opened itself, a client's included; its own `send`,
   * `close` and `terminate` go through the owner from now on. A socket that has an owner keeps it.
   *
   * @throws SetupError where `socket` is no ws socket
   */
  track(socket: WebSocket): Connection {
    if (!isWebSocket(socket)) {
      throw new SetupError('ERR_NOT_A_WEBSOCKET', 'track() takes a WebSocket of the package ws.');
    }
    return track(socket, this.#engine.runtime, this.#engine.policy);
  }

  #find(client: unknown): RegisteredConnection | undefined {
    return typeof client === 'string'
      ? this.#engine.runtime.connections.get(client)
      : (ownerOf(client) ?? observationOf(client));
  }
}
