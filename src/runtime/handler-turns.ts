import { Fifo } from './fifo.js';
import { HandlerCall, type HandlerTraits } from './handler-call.js';
import type { InboundBudget } from './inbound-budget.js';

/** What turns need of their connection. */
export interface TurnsHost {
  /** Handlers that run at this moment. */
  readonly inFlight: number;
  /** Handlers may start. */
  readonly dispatching: boolean;
  /** The peer sends faster than handlers end: the socket has been paused. */
  onSaturated(): void;
}

/** Starts a handler; `call` is to be told when it ends, where it is given. */
export type StartHandler = (call: HandlerCall | undefined) => void;

interface Waiting {
  readonly start: StartHandler;
  readonly traits: HandlerTraits;
  readonly bytes: number;
  /** By the order of arrival. */
  readonly number: number;
}

interface Limits {
  readonly maxInFlight: number;
  readonly maxQueuedBytes: number;
}

/**
 * Whose handler may start when, on one connection. Serial ones start one after the other in the
 * order of their messages, concurrent ones at once; past the number that may be in flight all
 * wait. What waits has to fit into the budget of the connection (G11).
 */
export class HandlerTurns {
  readonly #host: TurnsHost;
  readonly #budget: InboundBudget;
  readonly #limits: Limits;
  readonly #serial = new Fifo<Waiting>();
  readonly #concurrent = new Fifo<Waiting>();
  #arrived = 0;
  #serialRuns = false;
  #pumping = false;

  constructor(host: TurnsHost, budget: InboundBudget, limits: Limits) {
    this.#host = host;
    this.#budget = budget;
    this.#limits = limits;
  }

  /** How many wait. */
  get size(): number {
    return this.#serial.size + this.#concurrent.size;
  }

  /** Starts a handler in its turn. */
  take(traits: HandlerTraits, bytes: number, start: StartHandler): void {
    const waiting = { start, traits, bytes, number: ++this.#arrived };
    if (this.#mayStart(traits)) {
      this.#run(waiting);
      return;
    }
    const line = traits.order === 'serial' ? this.#serial : this.#concurrent;
    line.push(waiting);
    if (this.#budget.take(bytes, this.#limits.maxQueuedBytes)) this.#host.onSaturated();
  }

  /** A handler has ended: others may start. A loop, as one that ends at once starts the next. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (let next = this.#next(); next; next = this.#next()) {
      this.#budget.give(next.bytes);
      this.#run(next);
    }
    this.#pumping = false;
  }

  /** Gives up all that wait; returns how many. */
  discard(): number {
    return this.#serial.clear().length + this.#concurrent.clear().length;
  }

  get #hasSlot(): boolean {
    return this.#host.dispatching && this.#host.inFlight < this.#limits.maxInFlight;
  }

  /** Nobody waits whose turn would come first. */
  #mayStart({ order }: HandlerTraits): boolean {
    if (!this.#hasSlot) return false;
    if (order === 'serial') return !this.#serialRuns && this.#serial.size === 0;
    return this.#concurrent.size === 0;
  }

  #next(): Waiting | undefined {
    if (!this.#hasSlot) return undefined;
    const serial = this.#serialRuns ? undefined : this.#serial.first;
    const concurrent = this.#concurrent.first;
    if (!serial || !concurrent) return serial ? this.#serial.shift() : this.#concurrent.shift();
    return serial.number < concurrent.number ? this.#serial.shift() : this.#concurrent.shift();
  }

  #run({ start, traits }: Waiting): void {
    const serial = traits.order === 'serial';
    if (!serial) {
      start(traits.conflate && new HandlerCall(undefined, traits.conflate));
      return;
    }
    this.#serialRuns = true;
    start(new HandlerCall(() => this.#endSerial(), traits.conflate));
  }

  #endSerial(): void {
    this.#serialRuns = false;
    this.pump();
  }
}
