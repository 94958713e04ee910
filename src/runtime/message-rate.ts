import type { Clock } from './clock.js';

/**
 * How many messages a second may be taken, in bursts of one second's worth: the generic cell rate
 * algorithm (ITU-T I.371), which needs one number and no timer.
 */
export class MessageRate {
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #burst: number;
  /** When the next message would be due, were they evenly spread. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#interval = 1000 / perSecond;
    this.#burst = Math.max(0, 1000 - this.#interval);
  }

  /** Takes one; false where it comes too early. */
  take(): boolean {
    const now = this.#clock.monotonic();
    if (this.#dueAt - now > this.#burst) return false;
    this.#dueAt = Math.max(this.#dueAt, now) + this.#interval;
    return true;
  }

  /** Milliseconds until one may be taken. */
  get wait(): number {
    return Math.max(0, Math.ceil(this.#dueAt - this.#clock.monotonic() - this.#burst));
  }
}
