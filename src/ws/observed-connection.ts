import { WebSocket } from 'ws';
import { ABNORMAL_CLOSURE, NORMAL_CLOSURE } from '../core/close-code.js';
import { normalizeClose, type CloseFrame, type CloseRequest } from '../core/close-request.js';
import type { Initiator } from '../core/connection.context.js';
import type { ConnectionState } from '../core/connection.phases.js';
import type { CloseOutcome, RefusalCause, SendOutcome } from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import type {
  CloseOptions,
  Connection,
  ConnectionRequest,
  SendOptions,
} from '../runtime/connection.js';
import { ConnectionClosingError } from '../runtime/handler-calls.js';
import type { RaceDetail } from '../runtime/lifecycle.observer.js';
import type { SendTotals } from '../runtime/send-totals.js';
import { invalidRooms, invalidRoomsText, Membership } from '../runtime/rooms.js';
import type { RegisteredConnection, Runtime, SettleClose } from '../runtime/runtime.js';
import type { SendRequest, Settle } from '../runtime/send-request.js';
import type { MessageData } from '../runtime/socket.port.js';
import type { BaseMembers } from './base-members.js';

const STATES: readonly ConnectionState[] = ['connecting', 'open', 'closing', 'closed'];

/**
 * A connection in `mode: 'observe'`: ws and Nest do what they always do, and what an owner would
 * have prevented is counted. Its outcomes are as true as ws's callbacks let them be: what ws
 * drops in silence is `lost`, and nothing is ever `acknowledged`.
 */
export class ObservedConnection implements Connection {
  readonly id: string;
  readonly openedAt: number;
  readonly data: Record<string, unknown> = {};
  readonly closed: Promise<CloseOutcome>;
  identity: string | undefined;
  /** No pings are sent. */
  readonly latency: number | undefined;
  lastSeenAt: number;
  inFlight = 0;

  #pendingHooks = 0;
  #accepted = 0;
  #written = 0;
  #refused = 0;
  #refusedReplies = 0;
  #initiator: Initiator = 'network';
  #terminated = false;
  #received: CloseFrame | undefined;
  #closingSince: number | undefined;
  #resolveClosed!: (outcome: CloseOutcome) => void;
  readonly #controller = new AbortController();
  readonly #membership: Membership<RegisteredConnection>;
  readonly #requests: CloseRequest[] = [];

  constructor(
    private readonly socket: WebSocket,
    private readonly base: BaseMembers,
    private readonly runtime: Runtime,
    readonly request: ConnectionRequest,
  ) {
    this.id = runtime.nextId();
    this.openedAt = runtime.clock.now();
    this.lastSeenAt = this.openedAt;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#membership = new Membership(runtime.rooms, this);
    runtime.connections.add(this);
    runtime.observer.opened(this.id);
  }

  get state(): ConnectionState {
    return STATES[this.socket.readyState]!;
  }

  get live(): boolean {
    return this.state === 'connecting' || this.state === 'open';
  }

  /** Nobody drains what is only observed. */
  stopDispatch(): void {}

  endBy(): void {}

  identify(identity: string): Promise<void> {
    const { identities } = this.runtime;
    if (this.identity !== undefined) identities.delete(this.identity, this);
    this.identity = identity;
    if (this.live) identities.add(identity, this);
    return Promise.resolve();
  }

  expiresAt(): void {}

  get bufferedAmount(): number {
    return this.socket.bufferedAmount;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get totals(): SendTotals {
    const ended = this.socket.readyState === WebSocket.CLOSED;
    return {
      accepted: this.#accepted,
      written: this.#written,
      acknowledged: 0,
      dropped: 0,
      lost: ended ? this.#accepted - this.#written : 0,
      refused: this.#refused,
    };
  }

  send(data: MessageData, options?: SendOptions): Promise<SendOutcome> {
    if (options?.signal?.aborted) return Promise.resolve({ status: 'refused', cause: 'aborted' });
    return new Promise((resolve) => {
      this.submit(data, undefined, resolve);
    });
  }

  /** The stock stack has no limits. */
  writable(): Promise<boolean> {
    return Promise.resolve(this.#refusal() === undefined);
  }

  submit(data: MessageData, request: SendRequest = {}, settle?: Settle): boolean {
    const cause = this.#refusal();
    try {
      this.rawSend(data, request, (error) => {
        if (cause) settle?.({ status: 'refused', cause });
        else if (error) settle?.({ status: 'lost', cause: 'network', sent: 'maybe' });
        else settle?.({ status: 'written' });
      });
      return cause === undefined;
    } catch {
      settle?.({ status: 'refused', cause: cause ?? 'unserializable' });
      return false;
    }
  }

  get rooms(): ReadonlySet<string> {
    return this.#membership.names;
  }

  join(...rooms: string[]): void {
    const invalid = invalidRooms(rooms);
    if (invalid.length > 0) this.tell('invalid-room', { message: invalidRoomsText(invalid) });
    else if (this.live) for (const room of rooms) this.#membership.join(room);
  }

  leave(...rooms: string[]): void {
    for (const room of rooms) this.#membership.leave(room);
  }

  emit(event: string, data?: unknown, options?: SendOptions): Promise<SendOutcome> {
    const frame = this.#encode({ event, data });
    return frame === undefined
      ? Promise.resolve({ status: 'refused', cause: 'unserializable' })
      : this.send(frame, options);
  }

  post(event: string, data?: unknown): boolean {
    const frame = this.#encode({ event, data });
    return frame !== undefined && this.submit(frame);
  }

  acknowledged(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(code?: number, reason?: string): Promise<CloseOutcome> {
    this.submitClose(code, reason);
    return this.closed;
  }

  submitClose(code?: number, reason?: string, _options?: CloseOptions, settle?: SettleClose): void {
    const { request } = normalizeClose(code ?? NORMAL_CLOSURE, reason, {
      at: this.runtime.clock.now(),
      handlers: 'abort',
    });
    if (request.code === undefined) this.socket.close();
    else this.socket.close(request.code, request.reason);
    if (settle) void this.closed.then(settle);
  }

  terminate(): Promise<CloseOutcome> {
    this.socket.terminate();
    return this.closed;
  }

  #refusal(): RefusalCause | undefined {
    const { readyState } = this.socket;
    if (readyState === WebSocket.CONNECTING) return 'connecting';
    if (readyState === WebSocket.OPEN) return undefined;
    return readyState === WebSocket.CLOSED ? 'closed' : 'closing';
  }

  #encode(message: unknown): string | Buffer | undefined {
    try {
      return this.runtime.encode(message);
    } catch (error) {
      this.tell('unserializable', { error });
      return undefined;
    }
  }

  // What the app does with the socket.

  rawSend(data: MessageData, options: object, callback?: (error?: Error | null) => void): void {
    const cause = this.#refusal();
    if (cause) {
      this.#refused++;
      this.tell(cause === 'connecting' ? 'send-before-open' : 'send-after-close');
      this.base.send.call(this.socket, data, options, callback);
      return;
    }
    this.base.send.call(this.socket, data, options, (error) => {
      if (!error) this.#written++;
      callback?.(error);
    });
    this.#accepted++;
  }

  rawClose(code: unknown, reason: unknown): void {
    const { request, faults } = normalizeClose(code, reason, {
      at: this.runtime.clock.now(),
      handlers: 'abort',
    });
    if (faults.length > 0) this.tell('invalid-close-arguments');
    const [first] = this.#requests;
    if (this.#refusal() !== undefined) {
      this.tell('concurrent-close');
      if (first && first.code !== request.code) this.tell('superseded-code');
    }
    this.#requests.push(request);
    this.#beginClosing('server');
  }

  rawTerminate(): void {
    this.#terminated = true;
    this.#beginClosing('server');
  }

  get peerClosed(): boolean {
    return this.#received !== undefined;
  }

  onPeerClose(frame: CloseFrame): void {
    this.#received = frame;
    if (this.#requests.length === 0) this.#beginClosing('peer');
  }

  #beginClosing(initiator: Initiator): void {
    if (this.#closingSince !== undefined) return;
    this.#initiator = initiator;
    this.#closingSince = this.runtime.clock.monotonic();
    this.runtime.observer.closing(this.id);
    this.#controller.abort(new ConnectionClosingError());
  }

  onMessage(): void {
    this.lastSeenAt = this.runtime.clock.now();
    if (this.#pendingHooks > 0) this.tell('early-message');
    if (this.#refusal() !== undefined) this.tell('message-after-close');
  }

  onClosed(): void {
    const { clock, connections, observer } = this.runtime;
    const now = clock.monotonic();
    const { code, reason } = this.#frame();
    const outcome: CloseOutcome = Object.freeze({
      connectionId: this.id,
      initiator: this.#initiator,
      handshake: this.#received ? 'clean' : this.#terminated ? 'terminated' : 'lost',
      code,
      reason,
      requests: this.#requests.map((request, index) => ({
        code: request.code ?? 1005,
        reason: request.reason,
        at: request.at,
        superseded: index > 0,
      })),
      acknowledged: this.#accepted === 0,
      written: this.#written,
      dropped: 0,
      lost: this.#accepted - this.#written,
      refusedReplies: this.#refusedReplies + this.inFlight,
      durationMs: now - (this.#closingSince ?? now),
    });
    this.#controller.abort(new ConnectionClosingError());
    connections.delete(this);
    this.#membership.end();
    if (this.identity !== undefined) this.runtime.identities.delete(this.identity, this);
    observer.closed(outcome, this.totals);
    this.#resolveClosed(outcome);
  }

  #frame(): CloseFrame {
    const [first] = this.#requests;
    if (first && !this.#terminated) return { code: first.code ?? 1005, reason: first.reason };
    return this.#received ?? { code: ABNORMAL_CLOSURE, reason: '' };
  }

  // What the app's gateways do.

  /** Runs a hook as Nest does, rejection and all. */
  watchHook(call: () => unknown): unknown {
    this.#pendingHooks++;
    const settled = (): void => {
      this.#pendingHooks--;
    };
    const failed = (error: unknown): never => {
      settled();
      this.tell('hook-rejection', { error });
      throw error;
    };
    try {
      const result = call();
      if (result instanceof Promise) return result.then(settled, failed);
      settled();
      return result;
    } catch (error) {
      return failed(error);
    }
  }

  /** Runs a handler as Nest does; a reply that the stock adapter will drop is counted. */
  async watchHandler(call: () => unknown): Promise<unknown> {
    this.inFlight++;
    try {
      const value = await call();
      if (value !== undefined && value !== null && this.#refusal() !== undefined) {
        this.#refusedReplies++;
        this.tell('reply-after-close');
      }
      return value;
    } finally {
      this.inFlight--;
    }
  }

  tell(kind: RaceKind, detail: RaceDetail = {}): void {
    this.runtime.observer.race(kind, this.id, detail);
  }
}
