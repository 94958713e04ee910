import {
  drainTransition,
  type DrainEffect,
  type DrainEvent,
  type DrainPhase,
} from '../core/drain.js';
import { fitBatches, jitteredInterval, type BatchPlan } from '../core/drain-batches.js';
import type { ConnectionState } from '../core/connection.phases.js';
import type { CloseOutcome, Handshake } from '../core/outcomes.js';
import type { Clock, Timer } from './clock.js';
import type { ConnectionRegistry } from './connection.registry.js';
import type { HookTally } from './hook-tally.js';
import type { LifecycleObserver } from './lifecycle.observer.js';
import type { RegisteredConnection } from './runtime.js';

/** How a server drains; times in ms. */
export interface DrainSettings extends BatchPlan {
  /** Of the close frames. */
  readonly code: number;
  readonly reason: string;
  /** From `begin()` to the report, whatever happens. */
  readonly timeout: number;
  readonly readinessDelay: number;
}

/** How far a drain has come. */
export interface DrainProgress {
  readonly phase: DrainPhase;
  /** Those that have not ended, by state. */
  readonly connections: Readonly<Record<Exclude<ConnectionState, 'closed'>, number>>;
  readonly handlersInFlight: number;
  /** Hooks that run after the end of their connection. */
  readonly hooksRunning: number;
  /** Accepted, and not taken by the kernel. */
  readonly bytesLeft: number;
  /** Connections that were asked to close, of all there were. */
  readonly asked: number;
  readonly total: number;
  /** Milliseconds until the deadline. */
  readonly timeLeft: number;
}

/** One connection that took long to end. */
export interface SlowClose {
  readonly connectionId: string;
  readonly durationMs: number;
  readonly handshake: Handshake;
}

/** What became of a drain. */
export interface DrainReport {
  /** All that were there when it began, or came all the same. */
  readonly connections: number;
  readonly clean: number;
  readonly crossed: number;
  readonly terminated: number;
  readonly lost: number;
  /** Messages handed to the kernel between the beginning and each connection's end. */
  readonly repliesFlushed: number;
  /** `handleDisconnect` and `handleDrain` that ended in time. */
  readonly hooksAwaited: number;
  /** Those that did not. */
  readonly hooksOverran: number;
  /** Connections or hooks were left when the time was over. */
  readonly deadlineHit: boolean;
  readonly durationMs: number;
  /** Those that took longest, the slowest first. */
  readonly slowest: readonly SlowClose[];
}

/** What a drain needs of its server. */
export interface DrainHost {
  /** No upgrade is accepted any more. */
  refuseUpgrades(): void;
  /** Says goodbye to one client; must neither throw nor reject. */
  goodbye(connection: RegisteredConnection): void | Promise<unknown>;
}

interface Parts {
  readonly clock: Clock;
  readonly connections: ConnectionRegistry<RegisteredConnection>;
  readonly hooks: HookTally;
  readonly random: () => number;
  readonly host: DrainHost;
}

/** The part of the time kept for the hooks of what the deadline destroys, and its most. */
const RESERVE_SHARE = 0.1;
const MAX_RESERVE_MS = 1_000;
/** The part of the time left that a goodbye may take. */
const GOODBYE_SHARE = 0.25;
/** What a second signal leaves. */
const HURRIED_MS = 1_000;
const SLOWEST = 5;

type TimerName = 'deadline' | 'delay' | 'interval' | 'reserve';
type Totals = Record<Handshake, number>;

/** Ends all connections of a server within one deadline (G10): performs the table of core/drain. */
export class Drain implements LifecycleObserver {
  /** Told of each step. */
  onProgress: (() => void) | undefined;

  readonly #parts: Parts;
  #phase: DrainPhase = 'serving';
  #events: DrainEvent[] | undefined;
  #settings: DrainSettings | undefined;
  #batches: BatchPlan = { batchSize: 1, batchInterval: 0 };
  #began = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #timers: Partial<Record<TimerName, Timer>> = {};
  #report: Promise<DrainReport> | undefined;
  #resolve!: (report: DrainReport) => void;

  readonly #writtenBefore = new Map<string, number>();
  readonly #asked = new Set<string>();
  readonly #totals: Totals = { clean: 0, crossed: 0, terminated: 0, lost: 0 };
  #ended = 0;
  #repliesFlushed = 0;
  #hooksBefore = 0;
  #deadlineHit = false;
  #slowest: SlowClose[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.hooks.onEnded = () => this.#reviewSoon();
  }

  get phase(): DrainPhase {
    return this.#phase;
  }

  /** Begins, or joins the one that has begun. Always settles, within `timeout`. */
  begin(settings: DrainSettings): Promise<DrainReport> {
    return (this.#report ??= new Promise((resolve) => {
      const { clock, connections, hooks } = this.#parts;
      this.#resolve = resolve;
      this.#settings = settings;
      this.#began = clock.monotonic();
      this.#deadline = this.#began + settings.timeout;
      this.#hooksBefore = hooks.ended;
      for (const { id, totals } of connections) this.#writtenBefore.set(id, totals.written);
      this.#handle({ type: 'begun', delayed: settings.readinessDelay > 0 });
    }));
  }

  /** There is less time than was thought: a second of it, or what is left if that is less. */
  hurry(): void {
    this.#handle({ type: 'hurried' });
  }

  opened(connectionId: string): void {
    if (!this.#report) return;
    this.#writtenBefore.set(connectionId, 0);
    // Its owner is still being made.
    this.#parts.clock.afterMacrotask(() => this.#handle({ type: 'opened' }));
  }

  ready(): void {}

  closing(): void {}

  race(): void {}

  closed(outcome: CloseOutcome): void {
    const before = this.#writtenBefore.get(outcome.connectionId);
    if (before === undefined || this.#phase === 'drained') return;
    const { connectionId, handshake, durationMs } = outcome;
    this.#writtenBefore.delete(connectionId);
    this.#asked.delete(connectionId);
    this.#ended++;
    this.#totals[handshake]++;
    this.#repliesFlushed += outcome.written - before;
    this.#rank({ connectionId, durationMs, handshake });
    this.#reviewSoon();
  }

  #rank(close: SlowClose): void {
    const last = this.#slowest[SLOWEST - 1];
    if (last && close.durationMs <= last.durationMs) return;
    this.#slowest = [...this.#slowest, close]
      .toSorted((a, b) => b.durationMs - a.durationMs)
      .slice(0, SLOWEST);
  }

  progress(): DrainProgress {
    const { connections: all, clock, hooks } = this.#parts;
    const connections = { connecting: 0, open: 0, draining: 0, closing: 0, closed: 0 };
    let handlersInFlight = 0;
    let bytesLeft = 0;
    for (const connection of all) {
      connections[connection.state]++;
      handlersInFlight += connection.inFlight;
      bytesLeft += connection.bufferedAmount;
    }
    const { connecting, open, draining, closing } = connections;
    return {
      phase: this.#phase,
      connections: { connecting, open, draining, closing },
      handlersInFlight,
      hooksRunning: hooks.running,
      bytesLeft,
      asked: this.#asked.size + this.#ended,
      total: all.size + this.#ended,
      timeLeft: Math.max(0, this.#deadline - clock.monotonic()),
    };
  }

  get #busy(): boolean {
    const { connections, hooks } = this.#parts;
    return connections.size > 0 || hooks.running > 0;
  }

  /** The hooks of a connection that has just ended begin within this macrotask. */
  #reviewSoon(): void {
    if (this.#phase === 'serving' || this.#phase === 'drained') return;
    this.#parts.clock.afterMacrotask(() => this.#handle({ type: 'ended', busy: this.#busy }));
  }

  #handle(event: DrainEvent): void {
    if (this.#events) {
      this.#events.push(event);
      return;
    }
    const events = (this.#events = [event]);
    for (let next = events.shift(); next; next = events.shift()) {
      const { phase, effects } = drainTransition(this.#phase, next);
      this.#phase = phase;
      for (const effect of effects) this.#perform(effect);
    }
    this.#events = undefined;
    this.onProgress?.();
  }

  #perform(effect: DrainEffect): void {
    const { clock, host, connections, random } = this.#parts;
    const settings = this.#settings!;
    switch (effect) {
      case 'report-unready':
        // Whoever asks sees the phase.
        break;
      case 'start-deadline':
        this.#startDeadline();
        break;
      case 'shorten-deadline':
        this.#deadline = Math.min(this.#deadline, clock.monotonic() + HURRIED_MS);
        this.#startDeadline();
        for (const connection of connections) connection.endBy(this.#connectionDeadline);
        break;
      case 'start-delay':
        this.#start('delay', settings.readinessDelay, () => ({ type: 'delayOver' }));
        break;
      case 'refuse-upgrades':
        host.refuseUpgrades();
        break;
      case 'stop-dispatch':
        for (const connection of connections) connection.stopDispatch();
        this.#batches = fitBatches(settings, connections.size, this.#timeLeft);
        break;
      case 'ask-batch':
        this.#ask(this.#batches.batchSize);
        break;
      case 'ask-all':
        this.#ask(Number.POSITIVE_INFINITY);
        break;
      case 'start-interval':
        this.#start('interval', jitteredInterval(this.#batches, random()), () => ({
          type: 'intervalOver',
        }));
        break;
      case 'start-reserve':
        this.#deadlineHit = true;
        this.#start('reserve', this.#timeLeft, () => ({ type: 'reserveOver' }));
        break;
      case 'terminate-rest':
        for (const connection of connections) void connection.terminate();
        break;
      case 'stop-timers':
        for (const timer of Object.values(this.#timers)) timer.cancel();
        this.#timers = {};
        break;
      case 'finish':
        this.#finish();
        break;
    }
  }

  get #timeLeft(): number {
    return Math.max(0, this.#deadline - this.#parts.clock.monotonic());
  }

  /** Before the deadline of the drain, so that hooks of what it destroys have time, too. */
  get #connectionDeadline(): number {
    const whole = this.#deadline - this.#began;
    return this.#deadline - Math.min(MAX_RESERVE_MS, whole * RESERVE_SHARE);
  }

  #startDeadline(): void {
    const wait = Math.max(0, this.#connectionDeadline - this.#parts.clock.monotonic());
    this.#start('deadline', wait, () => ({ type: 'deadline', busy: this.#busy }));
  }

  #start(name: TimerName, ms: number, event: () => DrainEvent): void {
    this.#timers[name]?.cancel();
    this.#timers[name] = this.#parts.clock.setTimer(ms, () => this.#handle(event()));
  }

  /** Asks the next connections to close, those that somebody closes already included. */
  #ask(most: number): void {
    let left = most;
    for (const connection of this.#parts.connections) {
      if (this.#asked.has(connection.id)) continue;
      if (left-- <= 0) break;
      this.#asked.add(connection.id);
      connection.stopDispatch();
      connection.endBy(this.#connectionDeadline);
      if (connection.live) this.#sayGoodbye(connection);
    }
    const { connections } = this.#parts;
    this.#handle({
      type: 'batchAsked',
      unasked: connections.size > this.#asked.size,
      busy: this.#busy,
    });
  }

  #sayGoodbye(connection: RegisteredConnection): void {
    const { clock, hooks, host } = this.#parts;
    const { code, reason } = this.#settings!;
    const close = (): void => connection.submitClose(code, reason, { handlers: 'finish' });
    const goodbye = host.goodbye(connection);
    if (!goodbye) {
      close();
      return;
    }
    const ended = hooks.begin('handleDrain');
    let timer: Timer | undefined = clock.setTimer(this.#timeLeft * GOODBYE_SHARE, () => {
      timer = undefined;
      close();
    });
    void goodbye.finally(() => {
      ended();
      if (!timer) return;
      timer.cancel();
      close();
    });
  }

  #finish(): void {
    const { clock, connections, hooks } = this.#parts;
    const { clean, crossed, terminated, lost } = this.#totals;
    this.#resolve({
      connections: this.#ended + connections.size,
      clean,
      crossed,
      terminated: terminated + connections.size,
      lost,
      repliesFlushed: this.#repliesFlushed,
      hooksAwaited: hooks.ended - this.#hooksBefore,
      hooksOverran: hooks.running,
      deadlineHit: this.#deadlineHit,
      durationMs: clock.monotonic() - this.#began,
      slowest: this.#slowest,
    });
  }
}
