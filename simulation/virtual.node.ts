import {
  drainTransition,
  type DrainEffect,
  type DrainEvent,
  type DrainPhase,
} from '../src/core/drain.js';
import { fitBatches, jitteredInterval, type BatchPlan } from '../src/core/drain-batches.js';
import type { Random } from './random.js';

/** How a node drains: the options of the same names, in ms. */
export interface DrainPlan extends BatchPlan {
  readonly timeout: number;
  readonly readinessDelay: number;
  /** The drain's own, between batches. */
  readonly jitter: boolean;
}

/** What a node does to its clients and tells the cluster. */
export interface NodeHost {
  /** Milliseconds of virtual time. */
  now(): number;
  readonly random: Random;
  reportUnready(node: VirtualNode): void;
  /** Begins the close handshakes of so many clients; their ends are told by `ended()`. */
  ask(node: VirtualNode, count: number): void;
  /** Ends so many, and all that are in their close handshake, at once. */
  terminate(node: VirtualNode, count: number): void;
  exit(node: VirtualNode): void;
}

type TimerName = 'deadline' | 'delay' | 'interval' | 'reserve';

const EVENT_OF: Readonly<Record<Exclude<TimerName, 'deadline'>, DrainEvent>> = {
  delay: { type: 'delayOver' },
  interval: { type: 'intervalOver' },
  reserve: { type: 'reserveOver' },
};

/** As in src/runtime/drain.ts. */
const RESERVE_SHARE = 0.1;
const MAX_RESERVE_MS = 1_000;
const HURRIED_MS = 1_000;

/** One server: what `src/runtime/drain.ts` is to sockets and a clock, this is to numbers. */
export class VirtualNode {
  /** How many clients nobody has asked to close. One is like another. */
  clients = 0;
  /** How many are in their close handshake. */
  closing = 0;
  /** When it has done what waits for it; connections are made one after the other. */
  freeAt = 0;
  refusing = false;

  readonly #host: NodeHost;
  readonly #plan: DrainPlan;
  readonly #timers = new Map<TimerName, number>();
  #phase: DrainPhase = 'serving';
  #batches: BatchPlan;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(
    readonly place: number,
    plan: DrainPlan,
    host: NodeHost,
  ) {
    this.#plan = plan;
    this.#batches = plan;
    this.#host = host;
  }

  get phase(): DrainPhase {
    return this.#phase;
  }

  begin(): void {
    this.#handle({ type: 'begun', delayed: this.#plan.readinessDelay > 0 });
  }

  opened(): void {
    this.#handle({ type: 'opened' });
  }

  ended(): void {
    this.#handle({ type: 'ended', busy: this.#busy });
  }

  /** Fires what is due. */
  tick(): void {
    for (const [name, due] of this.#timers) {
      if (due > this.#host.now()) continue;
      this.#timers.delete(name);
      const busy = this.clients + this.closing > 0;
      this.#handle(name === 'deadline' ? { type: 'deadline', busy } : EVENT_OF[name]);
    }
  }

  get #busy(): boolean {
    return this.closing > 0 || this.clients > 0;
  }

  get #timeLeft(): number {
    return Math.max(0, this.#deadline - this.#host.now());
  }

  get #reserve(): number {
    return Math.min(MAX_RESERVE_MS, this.#plan.timeout * RESERVE_SHARE);
  }

  #handle(event: DrainEvent): void {
    const { phase, effects } = drainTransition(this.#phase, event);
    this.#phase = phase;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: DrainEffect): void {
    switch (effect) {
      case 'report-unready':
        this.#host.reportUnready(this);
        break;
      case 'start-deadline':
        this.#startDeadline(this.#plan.timeout);
        break;
      case 'shorten-deadline':
        this.#startDeadline(Math.min(HURRIED_MS, this.#timeLeft));
        break;
      case 'start-delay':
        this.#start('delay', this.#plan.readinessDelay);
        break;
      case 'refuse-upgrades':
        this.refusing = true;
        break;
      case 'stop-dispatch':
        this.#batches = fitBatches(this.#plan, this.clients, this.#timeLeft);
        break;
      case 'ask-batch':
        this.#ask(this.#batches.batchSize);
        break;
      case 'ask-all':
        this.#ask(Number.POSITIVE_INFINITY);
        break;
      case 'start-interval':
        this.#start(
          'interval',
          jitteredInterval(this.#batches, this.#plan.jitter ? this.#host.random() : 0.5),
        );
        break;
      case 'start-reserve':
        this.#start('reserve', this.#timeLeft);
        break;
      case 'terminate-rest':
        this.#host.terminate(this, this.#take(Number.POSITIVE_INFINITY));
        break;
      case 'stop-timers':
        this.#timers.clear();
        break;
      case 'finish':
        this.#host.exit(this);
        break;
    }
  }

  #startDeadline(ms: number): void {
    this.#deadline = this.#host.now() + ms;
    this.#start('deadline', Math.max(0, ms - this.#reserve));
  }

  #start(name: TimerName, ms: number): void {
    this.#timers.set(name, this.#host.now() + ms);
  }

  #ask(count: number): void {
    this.#host.ask(this, this.#take(count));
    this.#handle({ type: 'batchAsked', unasked: this.clients > 0, busy: this.#busy });
  }

  #take(most: number): number {
    const taken = Math.min(most, this.clients);
    this.clients -= taken;
    return taken;
  }
}
