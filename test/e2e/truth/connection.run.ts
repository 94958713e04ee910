import type { WebSocket } from 'ws';
import type {
  CloseOutcome,
  Connection,
  LifecycleEvent,
  SafeCloseService,
} from '../../../src/index.js';
import type { ClosingCall } from './connection.record.js';
import { answerTo, type AnswersHost } from './handler.answers.js';
import { MessageSender, type SenderHost } from './message.sender.js';
import {
  isLimited,
  type Ask,
  type Caller,
  type CloseAct,
  type ConnectionPlan,
  type MessageSize,
  type Party,
  type PartyStart,
  type ServerAct,
} from './schedule.types.js';
import { Latch, pauseFor } from './turns.js';

/** The server's side of one connection: does what parties and handlers are to do, and notes it. */
export class ConnectionRun implements SenderHost, AnswersHost {
  readonly sender = new MessageSender(this);
  readonly closings: ClosingCall[] = [];
  readonly events: LifecycleEvent[] = [];
  readonly faults: string[] = [];
  readonly connected = new Latch();
  readonly gone = new Latch();
  /** `handleDisconnect` has begun. */
  readonly left = new Latch();
  /** Parties that have begun. */
  readonly running: Promise<void>[] = [];
  unnumbered = 0;
  disconnects = 0;
  /** An asynchronous `handleConnection` runs. */
  examining = false;
  client: WebSocket | undefined;
  connection: Connection | undefined;
  outcome: CloseOutcome | undefined;
  sheltered = false;

  #ready = false;
  #terminated = false;
  /** Closing began in an earlier macrotask. */
  #closingIsOld = false;
  readonly #pending = new Map<Promise<unknown>, string>();

  constructor(
    readonly plan: ConnectionPlan,
    readonly service: SafeCloseService,
  ) {}

  get target(): WebSocket | string {
    return this.client ?? this.#opened.id;
  }

  get limited(): boolean {
    return isLimited(this.plan.path);
  }

  get undisturbed(): boolean {
    return !this.#terminated && this.#opened.state !== 'closed';
  }

  // What the app reports.

  onEvent(event: LifecycleEvent): void {
    this.events.push(event);
    switch (event.type) {
      case 'opened':
        this.#open(event.connectionId);
        break;
      case 'ready':
        this.#ready = true;
        this.start('ready');
        break;
      case 'closing':
        this.start('closing');
        setImmediate(() => (this.#closingIsOld = true));
        break;
      default:
    }
  }

  /** What `handleConnection` is given. */
  connect(client: WebSocket): void {
    this.client = client;
    if (this.service.connection(client) !== this.connection) this.fault('has two connections');
    this.connected.reach();
    this.start('connection');
  }

  /** What `handleDisconnect` is given. */
  disconnect(): void {
    this.disconnects++;
    const late = this.events.some(
      (event) => event.type === 'race' && event.kind === 'hook-timeout',
    );
    if (this.examining && !late) this.fault('handleDisconnect before handleConnection had settled');
    if (this.#opened.inFlight > 0 && !late) this.fault('handleDisconnect while handlers run');
    this.left.reach();
  }

  /** What a handler does with a request. */
  answer(ask: Ask): unknown {
    if (!this.#ready) this.fault('a handler started before handleConnection had settled');
    if (this.#closingIsOld) this.fault('a handler started after closing had begun');
    return answerTo(ask, this);
  }

  #open(id: string): void {
    this.connection = this.service.connection(id)!;
    this.follow('the end of the connection', this.connection.closed, (outcome) => {
      this.outcome = outcome;
      this.gone.reach();
    });
    this.start('opened');
  }

  // Parties.

  start(at: PartyStart): void {
    for (const party of this.plan.parties) {
      if (party.start === at) this.running.push(this.#play(party));
    }
  }

  async #play({ steps }: Party): Promise<void> {
    // Set where this very macrotask has closed a connection that was live.
    let sheltered = false;
    for (const { pause, act } of steps) {
      if (pause !== 'none') await pauseFor(pause);
      if (typeof pause === 'number') sheltered = false;
      const { live } = this;
      this.sheltered = sheltered && this.#opened.state === 'draining' && !this.#terminated;
      this.perform(act);
      this.sheltered = false;
      sheltered ||= act.do === 'close' && live;
    }
  }

  perform(act: ServerAct): void {
    switch (act.do) {
      case 'send':
        for (let left = act.count; left > 0; left--) this.sender.send(act);
        break;
      case 'emit':
        for (let left = act.count; left > 0; left--) this.sender.emit(act);
        break;
      case 'post':
        for (let left = act.count; left > 0; left--) this.sender.post(act);
        break;
      case 'raw':
        for (let left = act.count; left > 0; left--) this.sender.raw(act);
        break;
      case 'acknowledged':
        this.sender.ask(act.timeout);
        break;
      case 'close':
        this.close(act);
        break;
      case 'terminate':
        this.terminate(act.by);
        break;
      case 'ping':
        this.client?.ping();
        break;
    }
  }

  // Closing.

  /** Whether a close now would find the connection live. */
  get live(): boolean {
    const { state } = this.#opened;
    return state === 'connecting' || state === 'open';
  }

  close(act: CloseAct): void {
    const { code, reason, by: asked, ...options } = act;
    const by = this.#callerOf(asked);
    const precedence = by === 'raw' ? undefined : act.precedence;
    const call = this.#callOf('close', by, code, precedence);
    if (by === 'raw') {
      this.client!.close(code, reason);
      return;
    }
    const closed =
      by === 'connection'
        ? this.#opened.close(code, reason, options)
        : this.service.close(this.#named(by), code, reason, options);
    this.follow(`close(${String(code)})`, closed, (outcome) => call.outcomes.push(outcome));
  }

  terminate(asked: Caller): void {
    const by = this.#callerOf(asked);
    const call = this.#callOf('terminate', by);
    this.#terminated = true;
    if (by === 'raw') {
      this.client!.terminate();
      return;
    }
    const closed =
      by === 'connection' ? this.#opened.terminate() : this.service.terminate(this.#named(by));
    this.follow('terminate()', closed, (outcome) => call.outcomes.push(outcome));
  }

  closeByHandler(): boolean {
    const { live } = this;
    this.close({ by: 'raw', code: 4500, reason: 'closed by a handler' });
    return live;
  }

  get #opened(): Connection {
    return this.connection!;
  }

  /** Before `handleConnection` there is only the connection to call. */
  #callerOf(by: Caller): Caller {
    return this.client || by === 'id' ? by : 'connection';
  }

  #named(by: Caller): WebSocket | string {
    return by === 'id' ? this.#opened.id : this.target;
  }

  #callOf(kind: ClosingCall['kind'], by: Caller, code?: number, precedence?: number): ClosingCall {
    const call: ClosingCall = {
      kind,
      code: code ?? (by === 'raw' ? 1005 : 1000),
      precedence,
      early: this.live || this.sheltered,
      listed: kind === 'close' && this.#opened.state !== 'closed',
      known: by !== 'id' || this.service.connection(this.#opened.id) !== undefined,
      outcomes: [],
    };
    this.closings.push(call);
    return call;
  }

  // Handlers.

  reply(size: MessageSize, serialized?: () => void): object {
    return this.sender.reply(size, serialized);
  }

  expectUnnumbered(): void {
    this.unnumbered++;
  }

  // What has been promised.

  /** Promises that have not settled, by what they were for. */
  get unsettled(): string[] {
    return [...this.#pending.values()];
  }

  /** Waits for every promise that the server's side was given. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending.keys());
  }

  follow<T>(label: string, promise: Promise<T>, settled: (value: T) => void): void {
    const followed = promise
      .then(settled, (error: unknown) => this.fault(`${label} rejected: ${String(error)}`))
      .finally(() => this.#pending.delete(followed));
    this.#pending.set(followed, label);
  }

  fault(text: string): void {
    this.faults.push(text);
  }
}
