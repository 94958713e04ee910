import type { Clock, Timer } from '../../../src/runtime/clock.js';

interface PendingTimer {
  readonly at: number;
  readonly callback: () => void;
}

/**
 * Timers are exact to a part of a millisecond that a float holds exactly: one that is set for the
 * tiny rest of a sum would else fire at the moment at which it was set, and so on for ever.
 */
const STEPS_PER_MS = 1024;

/** Somewhere in 2030, and far from `monotonic()`, so that mixing the two up shows. */
const WALL_CLOCK_START = Date.UTC(2030, 0, 1);
const MONOTONIC_START = 1_000;

/**
 * Time that passes when a test says so. Nothing runs on its own: timers fire in `advance()`, and
 * the callbacks of `afterMicrotasks()` and `afterMacrotask()` run in `endMacrotask()`.
 */
export class ManualClock implements Clock {
  #elapsed = 0;
  #wallClockShift = 0;
  #macrotask: (() => void)[] = [];
  /** In the order in which they fire; of equals, in the order in which they were set. */
  readonly #timers: PendingTimer[] = [];

  now(): number {
    return WALL_CLOCK_START + this.#wallClockShift + this.#elapsed;
  }

  monotonic(): number {
    return MONOTONIC_START + this.#elapsed;
  }

  setTimer(ms: number, callback: () => void): Timer {
    const timer = { at: this.#dueIn(ms), callback };
    const later = this.#timers.findIndex(({ at }) => at > timer.at);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer);
        if (index !== -1) this.#timers.splice(index, 1);
      },
    };
  }

  #dueIn(ms: number): number {
    if (!(ms > 0)) return this.#elapsed;
    const due = Math.ceil((this.#elapsed + ms) * STEPS_PER_MS) / STEPS_PER_MS;
    return Math.max(due, this.#elapsed + 1 / STEPS_PER_MS);
  }

  afterMicrotasks(callback: () => void): void {
    this.#macrotask.push(callback);
  }

  afterMacrotask(callback: () => void): void {
    this.#macrotask.push(callback);
  }

  /** Timers that are set and have neither fired nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Callbacks that wait for the end of the macrotask. */
  get pendingMacrotask(): number {
    return this.#macrotask.length;
  }

  /** Milliseconds until the next timer fires; `undefined` where none is set. */
  get nextTimerIn(): number | undefined {
    const next = this.#timers[0];
    return next && Math.max(0, next.at - this.#elapsed);
  }

  /**
   * Lets `ms` pass, and fires what falls due on the way: each timer at its own moment, those that
   * are set meanwhile included.
   */
  advance(ms: number): void {
    const until = this.#elapsed + ms;
    for (let next = this.#timers[0]; next && next.at <= until; next = this.#timers[0]) {
      this.#timers.shift();
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.callback();
    }
    this.#elapsed = until;
  }

  /** Lets `ms` pass with the event loop blocked: what falls due meanwhile fires at the end. */
  stall(ms: number): void {
    this.#elapsed += ms;
    this.advance(0);
  }

  /** Runs what waits for the end of the macrotask; what that adds waits for the next end. */
  endMacrotask(): void {
    const callbacks = this.#macrotask;
    this.#macrotask = [];
    for (const callback of callbacks) callback();
  }

  /** Sets the wall clock forward or back, as an operator may; `monotonic()` knows nothing of it. */
  setWallClock(by: number): void {
    this.#wallClockShift += by;
  }
}
