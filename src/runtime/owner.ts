import { NORMAL_CLOSURE, TRY_AGAIN_LATER } from '../core/close-code.js';
import {
  normalizeClose,
  type CloseFrame,
  type CloseRequest,
  type HandlersPolicy,
} from '../core/close-request.js';
import { CONNECTING, OPEN } from '../core/connection.context.js';
import type { Effect } from '../core/connection.effects.js';
import type { ConnectionEvent } from '../core/connection.events.js';
import type { TimerName } from '../core/connection.phases.js';
import {
  closeVerdict,
  lossCause,
  refusalCause,
  type CloseOutcome,
  type RefusalCause,
  type SendOutcome,
} from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import type { BroadcastTally } from './broadcast-tally.js';
import { DisconnectHooks, type DisconnectHost } from './disconnect-hooks.js';
import type { CloseOptions, Connection, ConnectionRequest, SendOptions } from './connection.js';
import type { ConnectionPolicyValues } from './connection.policy.js';
import type { HandlerTraits } from './handler-call.js';
import { Ending } from './ending.js';
import { HandlerTurns, type StartHandler, type TurnsHost } from './handler-turns.js';
import { HandlerCalls, type HandlerCallsListener } from './handler-calls.js';
import { Extras } from './extras.js';
import type { Pulse } from './heartbeat.js';
import { Inbox, type Dispatcher } from './inbox.js';
import { Lifecycle } from './lifecycle.js';
import type { RaceDetail } from './lifecycle.observer.js';
import { NO_SENDS, type SendTotals } from './send-totals.js';
import { Outbox, type OutboxListener } from './outbox.js';
import { LONE_BEAT, LONE_CLOSE } from './read-marks.js';
import { Readiness, type ReadinessKey } from './readiness.js';
import { receivedBytes } from './received-bytes.js';
import { invalidRooms, invalidRoomsText, Membership } from './rooms.js';
import type { Runtime, SettleClose } from './runtime.js';
import type { SendRequest, Settle } from './send-request.js';
import { Sender, type SenderHost } from './sender.js';
import type { SharedLane } from './shared-lane.js';
import { Session, type SessionHost } from './session.js';
import { departureOf, type SessionMember } from './sessions.js';
import type {
  MessageData,
  ReceivedData,
  SharedMessage,
  SocketListener,
  SocketPort,
} from './socket.port.js';
import type { UnacknowledgedMessage } from './unacknowledged.js';

/** What is done between the last hook and the first message, such as asking whose it is. */
const ACCEPTANCE: ReadinessKey = { name: 'the identity option' };

/**
 * Handlers in flight past which the next so many wait until the microtasks have run. One read of
 * 64 KiB may bring thousands of messages, and all that their handlers make would be alive at once:
 * the garbage collector then takes half of the time (bench, handlers with an interceptor). With
 * 128 those take 3 % more, and with 32 none of the workloads does.
 */
const CROWD = 32;

/** Moments are kept from here: V8 stores numbers below 2³¹, of 24 days, without an object for each. */
const LOADED_AT = Date.now();

/** Pings that are no mark, which are numbered from 0. */
const NO_BEAT = -1;
const LONE_BEAT_MARK = -2;
const LONE_CLOSE_MARK = -3;

/** `queueMicrotask()` of Node makes an AsyncResource for each, which takes twice as long. */
const SETTLED = Promise.resolve();

const NO_REQUEST: ConnectionRequest = Object.freeze({ url: '', ip: '', headers: {} });

/**
 * The one owner of a connection: every frame, every close and every handler goes through it (G1).
 * It turns what happens into events of the transition table, and performs the effects that come
 * back. Only the send of a live connection takes a shorter way: a look at the phase, then the
 * outbox.
 */
export class Owner
  extends Lifecycle
  implements
    Connection,
    SocketListener,
    OutboxListener,
    HandlerCallsListener,
    DisconnectHost,
    SenderHost,
    SessionHost,
    TurnsHost,
    Pulse
{
  readonly id: string;
  visit: number | undefined;
  request: ConnectionRequest;

  declare protected readonly runtime: Runtime;
  /** In milliseconds from `LOADED_AT`. */
  readonly #openedAfter: number;
  #seenAfter: number;
  // Made when they are needed: most connections are idle most of the time.
  #calls: HandlerCalls | undefined;
  #sender: Sender | undefined;
  #lane: SharedLane | undefined;
  #readiness: Readiness | undefined = new Readiness();
  #dispatcher: Dispatcher | undefined;
  #ending: Ending | undefined;
  #extras: Extras | undefined;
  #endCallbacks: ((outcome: CloseOutcome) => void)[] | undefined;
  /** The ping of the heartbeat that is on its way, and when it was sent. */
  #beatMark = NO_BEAT;
  #beatAt = 0;
  /** Of the last one that was answered, in microseconds. */
  #latency = -1;

  constructor(
    runtime: Runtime,
    port: SocketPort,
    policy: ConnectionPolicyValues,
    request: ConnectionRequest = NO_REQUEST,
  ) {
    super(runtime, port, policy);
    this.request = request;
    this.id = runtime.nextId();
    this.#openedAfter = runtime.clock.now() - LOADED_AT;
    this.#seenAfter = this.#openedAfter;
    runtime.connections.add(this);
    if (policy.session.maxAge !== undefined) this.#sessionOf();
    if (policy.heartbeat) runtime.heartbeat.add(this, policy.heartbeat);
    runtime.observer.opened(this.id);
  }

  // What it is made of.

  get calls(): HandlerCalls {
    return (this.#calls ??= this.#newCalls());
  }

  #newCalls(): HandlerCalls {
    const calls = new HandlerCalls(this);
    if (this.#ending?.aborted) calls.abort();
    return calls;
  }

  get outbox(): Outbox {
    return this.sender.outbox;
  }

  get sender(): Sender {
    return (this.#sender ??= this.#newSender());
  }

  #newSender(): Sender {
    const outbox = new Outbox(this.port, this.policy.send, this.runtime.buffers, this);
    if (!this.live) this.#hurry(outbox);
    return new Sender(this, outbox);
  }

  /** `undefined`: nothing was sent. */
  get #outbox(): Outbox | undefined {
    return this.#sender?.outbox;
  }

  get #extra(): Extras {
    return (this.#extras ??= new Extras());
  }

  get #incoming(): Inbox {
    const { messagesPerSecond } = this.policy.limits;
    return (this.#extra.inbox ??= new Inbox(this.port, this.clock, messagesPerSecond));
  }

  // What is seen of it.

  get openedAt(): number {
    return LOADED_AT + this.#openedAfter;
  }

  get lastSeenAt(): number {
    return LOADED_AT + this.#seenAfter;
  }

  get bufferedAmount(): number {
    return this.port.bufferedAmount + this.queuedBytes;
  }

  /** The part of `bufferedAmount` that the socket does not know of. */
  get queuedBytes(): number {
    return this.#outbox?.queuedBytes ?? 0;
  }

  get inFlight(): number {
    return this.#calls?.inFlight ?? 0;
  }

  get signal(): AbortSignal {
    return this.calls.signal;
  }

  get data(): Record<string, unknown> {
    return (this.#extra.data ??= {});
  }

  get totals(): SendTotals {
    return this.#outbox?.totals ?? NO_SENDS;
  }

  get closed(): Promise<CloseOutcome> {
    return this.#end.closed;
  }

  get #end(): Ending {
    return (this.#ending ??= new Ending());
  }

  // Whose it is.

  get identity(): string | undefined {
    return this.#extras?.session?.identity;
  }

  /** `handleConnection` has accepted it, or nobody waits for that. */
  get accepted(): boolean {
    return this.context === OPEN;
  }

  identify(identity: string): Promise<void> {
    return this.#departureOf(this.claim(identity));
  }

  /** As `identify`, for who does not wait for those that leave, which it returns. */
  claim(identity: string): SessionMember[] {
    const { identities } = this.runtime;
    const before = this.identity;
    const leaving = this.#sessionOf().identify(identity);
    if (this.identity !== before) {
      if (before !== undefined) identities.delete(before, this);
      identities.add(this.identity!, this);
    }
    return leaving;
  }

  expiresAt(date: Date | undefined): void {
    this.#sessionOf().expiresAt(date);
  }

  /** Whether anybody could be waited for. */
  get anyLeaving(): boolean {
    return this.runtime.sessions.leaving > 0;
  }

  /** Those who would be waited for by a connection of this identity; `undefined`: nobody. */
  leaversOf(identity: unknown): Promise<void> | undefined {
    const { sessions } = this.runtime;
    const leaving = typeof identity === 'string' ? sessions.leavingOf(identity) : [];
    return leaving.length > 0 ? this.#departureOf(leaving) : undefined;
  }

  async #departureOf(leaving: readonly SessionMember[]): Promise<void> {
    if (leaving.length === 0) return;
    const { settleTimeout } = this.policy.handlers;
    if (await departureOf(leaving, this.clock, settleTimeout)) return;
    this.tell('hook-timeout', {
      message:
        `A former connection of the same identity has not ended with its handleDisconnect within ` +
        `${settleTimeout} ms; this one goes on. Make the hook faster, or raise ` +
        'handlers.settleTimeout.',
    });
  }

  #sessionOf(): Session {
    return (this.#extra.session ??= new Session({
      host: this,
      sessions: this.runtime.sessions,
      clock: this.clock,
      random: this.runtime.random,
      policy: this.policy.session,
    }));
  }

  // Rooms.

  get rooms(): ReadonlySet<string> {
    return this.#extras?.membership?.names ?? new Set();
  }

  join(...rooms: string[]): void {
    if (!this.live || this.#tellInvalidRooms(rooms)) return;
    const membership = (this.#extra.membership ??= new Membership(this.runtime.rooms, this));
    for (const room of rooms) membership.join(room);
  }

  leave(...rooms: string[]): void {
    for (const room of rooms) this.#extras?.membership?.leave(room);
  }

  #tellInvalidRooms(rooms: readonly unknown[]): boolean {
    const invalid = invalidRooms(rooms);
    if (invalid.length === 0) return false;
    this.tell('invalid-room', { message: invalidRoomsText(invalid) });
    return true;
  }

  // Signs of life.

  get listening(): boolean {
    return this.port.writable && !this.port.paused;
  }

  get latency(): number | undefined {
    return this.#latency < 0 ? undefined : this.#latency / 1_000;
  }

  beat(): void {
    const mark = this.#outbox ? this.#outbox.ping() : this.#pingAlone();
    if (mark === undefined) return;
    this.#beatMark = mark;
    this.#beatAt = this.#microseconds;
  }

  #pingAlone(): number | undefined {
    if (this.#beatMark === LONE_BEAT_MARK) return undefined;
    this.port.ping(LONE_BEAT);
    return LONE_BEAT_MARK;
  }

  /** Of the monotonic clock, in 32 bits, as V8 stores larger numbers in an object of their own. */
  get #microseconds(): number {
    return Math.round(this.clock.monotonic() * 1_000) | 0;
  }

  onSilence(): void {
    this.handle({ type: 'peerLost' });
  }

  // Sending.

  send(data: MessageData, options?: SendOptions): Promise<SendOutcome> {
    return this.sender.send(data, options);
  }

  emit(event: string, data?: unknown, options?: SendOptions): Promise<SendOutcome> {
    return this.sender.emit(event, data, options);
  }

  post(event: string, data?: unknown, options?: Pick<SendOptions, 'conflate'>): boolean {
    return this.sender.post(event, data, options);
  }

  /** Sends without a promise; `settle`, if given, is called exactly once. */
  submit(data: MessageData, request?: SendRequest, settle?: Settle): boolean {
    return this.sender.submit(data, request, settle);
  }

  submitShared(message: SharedMessage, tally: BroadcastTally): boolean {
    if (this.#lane?.take(message, tally)) return true;
    if (this.refusal !== undefined || !this.outbox.acceptShared(message, tally)) return false;
    this.#lane = this.outbox.lane;
    return true;
  }

  acknowledged(timeout?: number): Promise<boolean> {
    return this.sender.acknowledged(timeout);
  }

  writable(): Promise<boolean> {
    return this.sender.writable();
  }

  get encode(): Runtime['encode'] {
    return this.runtime.encode;
  }

  get refusal(): RefusalCause | undefined {
    if (this.port.connecting) return 'connecting';
    return this.context === OPEN || this.accepting ? undefined : refusalCause(this.context);
  }

  onSlowConsumer(): void {
    const request = this.#requestOf(TRY_AGAIN_LATER, 'slow consumer');
    this.handle({ type: 'overflowed', request });
  }

  onDropped(): void {
    this.sender.tellOverflow();
  }

  onRefused(cause: RefusalCause): void {
    this.sender.tellRefusal(cause);
  }

  protected onRefusing(): void {
    this.#outbox?.refuseWaiting(refusalCause(this.context)!);
  }

  // Closing.

  close(code?: number, reason?: string, options?: CloseOptions): Promise<CloseOutcome> {
    this.submitClose(code, reason, options);
    return this.closed;
  }

  /** Closes without a promise; `settle`, if given, is called exactly once. */
  submitClose(code?: number, reason?: string, options?: CloseOptions, settle?: SettleClose): void {
    this.requestClose(code === undefined ? NORMAL_CLOSURE : code, reason, options);
    if (settle) this.#end.whenClosed(settle);
  }

  terminate(): Promise<CloseOutcome> {
    this.requestTerminate();
    return this.closed;
  }

  requestTerminate(): void {
    this.handle({ type: 'terminateRequested' });
  }

  /** What `close` asks for; takes anything, and no code means a frame without one. */
  requestClose(code?: unknown, reason?: unknown, options?: CloseOptions): void {
    if (this.#ending?.outcome) return;
    const handlers = options?.handlers;
    const precedence = options?.precedence;
    const request = this.#requestOf(
      code,
      reason,
      handlers === 'abort' || handlers === 'finish' ? handlers : this.policy.close.handlers,
      Number.isFinite(precedence) ? precedence : undefined,
    );
    if (options) this.tighten(options);
    this.handle({ type: 'closeRequested', request });
  }

  /** What can't be sent is mended, and told. */
  #requestOf(
    code: unknown,
    reason: unknown,
    handlers: HandlersPolicy = 'abort',
    precedence?: number,
  ): CloseRequest {
    const at = this.clock.now();
    const { request, faults } = normalizeClose(code, reason, { at, handlers, precedence });
    if (faults.length > 0) {
      this.tell('invalid-close-arguments', {
        message:
          `The ${faults.join(' and ')} of a close can't be sent; ${request.code ?? 'no code'} ` +
          `${JSON.stringify(request.reason)} is sent instead. Valid: 1000–1003, 1007–1014, ` +
          '3000–4999, and a reason of at most 123 bytes of UTF-8.',
      });
    }
    return request;
  }

  // Readiness.

  /**
   * Holds messages back until every hook expected or begun before `sealReadiness` has settled; that
   * must follow in the same turn, as only then the time begins that they may take.
   */
  awaitReadiness(): void {
    if (this.policy.connect.waitFor === 'handleConnection') this.awaitReady();
  }

  /** Waits for the hook of a gateway that is yet to be made. */
  expectHook(gateway: ReadinessKey): void {
    this.#awaited.expect(gateway);
  }

  beginHook(gateway: ReadinessKey): void {
    this.#awaited.begin(gateway);
  }

  settleHook(gateway: ReadinessKey): void {
    this.#awaited.settle(gateway);
    this.#ending?.hooks?.review();
    this.#becomeReady();
  }

  sealReadiness(): void {
    if (!this.#readiness && this.context !== CONNECTING) return;
    this.#awaited.seal();
    this.#becomeReady();
    this.boundReadiness();
  }

  /** Done once, between the last hook and the first message; must neither throw nor reject. */
  acceptBy(acceptance: () => unknown): void {
    this.#awaited.acceptance = acceptance;
  }

  /**
   * Hooks that are to begin now wait for this; nothing is read before they have begun. At most
   * `connect.timeout`, and never a rejection.
   */
  get held(): Promise<void> | undefined {
    return this.#extras?.held;
  }

  hold(until: Promise<unknown>): void {
    this.port.pause();
    const extra = this.#extra;
    extra.held = new Promise((resolve) => {
      const release = (): void => {
        timer.cancel();
        extra.held = undefined;
        this.clock.afterMacrotask(() => this.port.resume());
        resolve();
      };
      const timer = this.clock.setTimer(this.policy.connect.timeout, release);
      void until.then(release);
    });
  }

  /** A gateway that never saw the connection must not be told of its end. */
  neverBegun(gateway: ReadinessKey): void {
    this.#hooks.forgo(gateway);
    this.#awaited.forgo(gateway);
    this.#hooks.review();
  }

  /** A `handleConnection` rejected: closes, unless somebody has already. */
  reject(code: unknown, reason: unknown): void {
    if (this.live) this.handle({ type: 'rejected', request: this.#requestOf(code, reason) });
  }

  #becomeReady(): void {
    if (!this.live || !this.#awaited.ready) return;
    const { acceptance } = this.#awaited;
    if (acceptance) {
      this.#awaited.acceptance = undefined;
      this.beginHook(ACCEPTANCE);
      const settle = (): void => this.settleHook(ACCEPTANCE);
      const result = acceptance();
      if (result instanceof Promise) void result.then(settle);
      else settle();
      return;
    }
    this.#readiness = undefined;
    if (this.context !== CONNECTING) return;
    this.handle({ type: 'ready' });
    this.#extras?.session?.claimPlace();
    // Not by an effect: the handlers that start now may close, and none may start after that.
    this.#extras?.inbox?.release(() => this.context === OPEN);
  }

  /** Once all that it waits for has settled, later hooks hold nothing back. */
  get #awaited(): Readiness {
    return (this.#readiness ??= Readiness.sealed());
  }

  #mayPass(): boolean {
    if (!this.#extras?.inbox && this.policy.limits.messagesPerSecond === undefined) return true;
    return this.#incoming.mayPass();
  }

  #releaseSoon(): void {
    this.clock.afterMicrotasks(() => this.#incoming.release(() => this.context === OPEN, CROWD));
  }

  /** The peer goes, and what it sent before that is not to be lost for want of a turn. */
  #releaseAll(): void {
    this.#extras?.inbox?.release(() => this.context === OPEN);
  }

  #releaseLater(): void {
    this.tell('rate-limited');
    this.#incoming.release(() => this.context === OPEN);
  }

  /**
   * Calls back once a handler may start, or will not: at once, unless it is `connecting`, or more
   * comes than may.
   *
   * @param bytes - of the message that the handler is for
   */
  whenReady(callback: () => void, bytes = 0): void {
    if (this.context === CONNECTING) {
      this.#incoming.callBack(callback, bytes, this.policy.connect.maxPendingBytes);
      this.tell('early-message');
    } else if (!this.live || this.#mayPass()) {
      callback();
    } else if (this.#incoming.callBack(callback, bytes, this.policy.handlers.maxQueuedBytes)) {
      this.#releaseLater();
    }
  }

  /** What the message that came last weighs; known only where `dispatched` is false. */
  get lastMessageBytes(): number {
    return this.#extras?.lastMessageBytes ?? 0;
  }

  set lastMessageBytes(bytes: number) {
    this.#extra.lastMessageBytes = bytes;
  }

  /** Its messages come by `dispatchTo`, which knows their lifecycle. */
  get dispatched(): boolean {
    return this.#dispatcher !== undefined;
  }

  /** Who takes the messages that may start handlers; without one, none waits. */
  dispatchTo(dispatcher: Dispatcher): void {
    this.#dispatcher = dispatcher;
  }

  get dispatcher(): Dispatcher | undefined {
    return this.#dispatcher;
  }

  /** A message may start a handler. */
  get dispatching(): boolean {
    return this.live && !this.#ending?.dispatchStopped;
  }

  stopDispatch(): void {
    this.#end.dispatchStopped = true;
    const waiting = this.#extras?.turns?.discard() ?? 0;
    for (let left = waiting; left > 0; left--) this.#refuseMessage();
  }

  #refuseMessage(): void {
    this.tell('message-while-draining');
  }

  // Handlers.

  /** A handler that nothing is said of may start at once. */
  get unhindered(): boolean {
    return !this.#extras?.turns?.size && this.inFlight < this.policy.handlers.maxInFlight;
  }

  /** Starts a handler in its turn; never, once closing has begun or the server drains. */
  takeTurn(traits: HandlerTraits, bytes: number, start: StartHandler): void {
    (this.#extra.turns ??= this.#newTurns()).take(traits, bytes, start);
  }

  #newTurns(): HandlerTurns {
    const turns = new HandlerTurns(this, this.#incoming.budget, this.policy.handlers);
    this.calls.onEnded = () => turns.pump();
    return turns;
  }

  onSaturated(): void {
    this.tell('handlers-saturated');
  }

  reply(value: unknown, conflate?: string): boolean {
    return this.sender.reply(value, conflate);
  }

  /** Whether a stream may go on, or a promise of it. */
  get room(): true | Promise<boolean> {
    return this.outbox.hasRoom || this.sender.writable();
  }

  afterMacrotask(callback: () => void): void {
    this.clock.afterMacrotask(callback);
  }

  onPullError(error: unknown): void {
    this.onHandlerError(error);
    if (this.accepting) this.sender.replyError(error);
  }

  onStreamCut(): void {
    this.tell('stream-cut');
  }

  onHandlerError(error: unknown): void {
    this.tell('handler-error', { error });
  }

  onHandlersSettled(): void {
    if (this.live) return;
    this.handle({ type: 'handlersSettled' });
    this.#ending?.hooks?.review();
  }

  // Hooks after the end.

  busyWith(gateway: ReadinessKey): string | undefined {
    if (this.#readiness?.isPending(gateway)) return `handleConnection of ${gateway.name}`;
    return this.inFlight > 0 ? `the last of ${this.inFlight} handlers` : undefined;
  }

  /** Runs `handleDisconnect` of a gateway, in its turn; `run` must neither throw nor reject. */
  disconnect(gateway: ReadinessKey, run: () => unknown): void {
    this.#hooks.add(gateway, run);
  }

  get #hooks(): DisconnectHooks {
    return (this.#end.hooks ??= new DisconnectHooks({
      host: this,
      clock: this.clock,
      tally: this.runtime.hooks,
      patience: () => Math.min(this.policy.handlers.settleTimeout, this.timeLeft),
    }));
  }

  /** Calls back once, directly after the end of the connection. */
  onceEnded(callback: (outcome: CloseOutcome) => void): void {
    // Most have one gateway, and so one callback; [] would make room for 17.
    if (this.#endCallbacks) this.#endCallbacks.push(callback);
    else this.#endCallbacks = [callback];
  }

  onGone(): void {
    this.#extras?.session?.onGone();
  }

  /** Everybody who listens to the socket itself has learnt of its end. */
  reportEnd(): void {
    const outcome = this.#ending?.takeReport();
    if (!outcome) return;
    for (const callback of this.#endCallbacks ?? []) callback(outcome);
    this.#endCallbacks = undefined;
    if (this.#ending!.hooks) this.#ending!.hooks.seal();
    else this.onGone();
  }

  // What the socket reports.

  onMessage(data: ReceivedData, isBinary: boolean): void {
    this.#seenAfter = this.clock.now() - LOADED_AT;
    if (!this.#dispatcher) return;
    if (this.context === OPEN) {
      const { maxQueuedBytes } = this.policy.handlers;
      const crowded = this.inFlight >= CROWD && this.policy.limits.messagesPerSecond === undefined;
      if (!crowded && this.#mayPass()) this.#dispatch(data, isBinary);
      else if (this.#keep(data, isBinary, maxQueuedBytes)) {
        if (crowded) this.#releaseSoon();
        else this.#releaseLater();
      }
    } else if (this.context === CONNECTING) {
      this.#keep(data, isBinary, this.policy.connect.maxPendingBytes);
      this.tell('early-message');
    } else {
      this.tell('message-after-close');
    }
  }

  #dispatch(data: ReceivedData, isBinary: boolean): void {
    if (this.#ending?.dispatchStopped) this.#refuseMessage();
    else this.#dispatcher?.dispatch(data, isBinary);
  }

  #keep(data: ReceivedData, isBinary: boolean, limit: number): boolean {
    const deliver = (): void => this.#dispatch(data, isBinary);
    return this.#incoming.keep(deliver, receivedBytes(data), limit);
  }

  onPing(): void {
    this.#seenAfter = this.clock.now() - LOADED_AT;
  }

  onPong(payload: Buffer): void {
    this.#seenAfter = this.clock.now() - LOADED_AT;
    const answered = this.#outbox?.onPong(payload) ?? this.#loneMarkOf(payload);
    if (answered === undefined) return;
    if (answered === this.#beatMark) {
      this.#latency = (this.#microseconds - this.#beatAt) | 0;
      this.#beatMark = NO_BEAT;
    }
    if (this.live) return;
    const closes = answered === this.#ending?.closePing;
    if (closes) this.#end.closePing = undefined;
    this.handle({ type: closes ? 'closePong' : 'progress' });
  }

  /** Of those that were sent and not answered. */
  #loneMarkOf(payload: Buffer): number | undefined {
    if (this.#beatMark === LONE_BEAT_MARK && payload.equals(LONE_BEAT)) return LONE_BEAT_MARK;
    const closes = this.#ending?.closePing === LONE_CLOSE_MARK && payload.equals(LONE_CLOSE);
    return closes ? LONE_CLOSE_MARK : undefined;
  }

  onPeerClose(frame: CloseFrame): void {
    this.#releaseAll();
    this.handle({ type: 'peerClosed', frame });
  }

  onProtocolFailure(code: number, error: unknown): void {
    this.#releaseAll();
    this.#end.protocolError = error;
    this.handle({ type: 'protocolFailed', request: this.#requestOf(code, '') });
  }

  onPeerEnd(): void {
    this.#releaseAll();
    this.handle({ type: 'peerEnded' });
  }

  onClosed(): void {
    this.#releaseAll();
    this.handle({ type: 'socketClosed' });
  }

  onProgress(): void {
    this.handle({ type: 'progress' });
  }

  onFlushed(): void {
    this.handle({ type: 'flushed' });
  }

  // Effects.

  protected perform(effect: Effect): void {
    switch (effect) {
      case 'dispatch-waiting':
        this.runtime.observer.ready(this.id);
        break;
      case 'discard-waiting':
        this.#discardWaiting();
        this.port.resume();
        break;
      case 'abort-handlers':
        this.#end.aborted = true;
        this.#calls?.abort();
        break;
      case 'await-macrotask':
        this.#awaitMacrotask();
        break;
      case 'acknowledge':
        this.#outbox?.acknowledgeAll();
        break;
      case 'write-ping':
        this.#end.closePing = this.#markClose();
        break;
      case 'write-close':
        this.port.close(this.context.sent!);
        break;
      case 'end-socket':
        this.port.end();
        break;
      case 'close-socket':
        this.port.end(true);
        break;
      case 'destroy-socket':
        this.port.destroy();
        break;
      case 'settle':
        this.#settle();
        break;
      default:
        this.tell(effect.slice('tell:'.length) as RaceKind);
    }
  }

  #awaitMacrotask(): void {
    this.clock.afterMacrotask(() => {
      const running = this.inFlight > 0;
      this.handle({ type: 'macrotaskEnded', running, unwritten: this.#unwritten });
    });
  }

  #discardWaiting(): void {
    const turns = this.#extras?.turns?.discard() ?? 0;
    for (let left = (this.#extras?.inbox?.discard() ?? 0) + turns; left > 0; left--) {
      this.tell('message-after-close');
    }
  }

  protected onClosing(): void {
    this.#end.since = this.clock.monotonic();
    this.#lane?.close();
    if (this.#outbox) this.#hurry(this.#outbox);
    if (this.policy.heartbeat) this.runtime.heartbeat.remove(this, this.policy.heartbeat);
    this.#extras?.session?.onClosing();
    this.runtime.observer.closing(this.id);
  }

  /** The end of the connection waits for what is written now. */
  #hurry(outbox: Outbox): void {
    outbox.watched = true;
    if (this.accepting) outbox.endPatience();
  }

  get #unwritten(): boolean {
    return this.#outbox?.unwritten ?? false;
  }

  #markClose(): number {
    if (this.#outbox) return this.#outbox.markClose();
    this.port.ping(LONE_CLOSE, true);
    return LONE_CLOSE_MARK;
  }

  protected onIllegalEvent(error: unknown): void {
    this.tell('illegal-event', { error });
  }

  protected expiryOf(name: TimerName): ConnectionEvent {
    switch (name) {
      case 'ready':
        return {
          type: 'readyTimeout',
          request: this.#requestOf(TRY_AGAIN_LATER, 'not ready in time'),
        };
      case 'settle':
        return { type: 'settleTimeout', unwritten: this.#unwritten };
      case 'flush':
        return { type: 'flushTimeout' };
      case 'handshake':
        return { type: 'handshakeTimeout' };
    }
  }

  #settle(): void {
    const { connections, observer, identities } = this.runtime;
    const outbox = this.#outbox;
    const unacknowledged = outbox?.takeUnacknowledged();
    outbox?.settle(lossCause(this.context));
    const { totals } = this;
    const verdict = closeVerdict(this.context, this.port.closeWritten);
    const outcome: CloseOutcome = Object.freeze({
      connectionId: this.id,
      initiator: verdict.initiator,
      handshake: verdict.handshake,
      code: verdict.code,
      reason: verdict.reason,
      requests: verdict.requests,
      acknowledged: totals.acknowledged === totals.accepted,
      written: totals.written,
      dropped: totals.dropped,
      lost: totals.lost,
      refusedReplies: (this.#calls?.refusedReplies ?? 0) + this.inFlight,
      durationMs: this.clock.monotonic() - this.#end.since,
    });
    this.#end.settle(outcome);
    this.#dispatcher = undefined;
    connections.delete(this);
    this.#extras?.membership?.end();
    if (this.identity !== undefined) identities.delete(this.identity, this);
    for (const { superseded, code } of outcome.requests) {
      if (superseded && code !== outcome.code) this.tell('superseded-code');
    }
    observer.closed(outcome, totals);
    if (unacknowledged?.length) this.#handBack(unacknowledged);
    this.#end.announce();
    // The app's own listeners of the end come first.
    void SETTLED.then(() => this.reportEnd());
  }

  /** The app is given back what it may want to send again, by another connection. */
  #handBack(messages: readonly UnacknowledgedMessage[]): void {
    const { observer, hooks } = this.runtime;
    observer.unacknowledged(this.id, messages);
    const { onUnacknowledged } = this.policy.send;
    if (!onUnacknowledged) return;
    const ended = hooks.begin('send.onUnacknowledged');
    const fail = (error: unknown): void => {
      this.tell('hook-rejection', { message: 'send.onUnacknowledged failed.', error });
    };
    void Promise.resolve()
      .then(() => onUnacknowledged(this, messages))
      .catch(fail)
      .finally(ended);
  }

  // Telling.

  /** What only the connection knows of a race stands beside its kind. */
  tell(kind: RaceKind, detail: RaceDetail = this.#detailOf(kind)): void {
    this.runtime.observer.race(kind, this.id, detail);
  }

  #detailOf(kind: RaceKind): RaceDetail {
    if (kind === 'protocol-error') return { error: this.#ending?.protocolError };
    if (kind !== 'ready-timeout') return {};
    return {
      message:
        `handleConnection of ${this.#awaited.pending} has not settled within ` +
        `${this.policy.connect.timeout} ms. Raise connect.timeout, or set connect.waitFor to ` +
        "'nothing' where it lives as long as the connection.",
    };
  }
}
