import { cpuUsage } from 'node:process';
import type { Clock, Timer } from '../src/runtime/clock.js';

export interface Tick {
  /** When it began, as `performance.now()` has it. */
  readonly began: number;
  /** How long it held the loop, with what followed it in the same turn. */
  readonly ms: number;
  /** Processor time of it, with that of V8's own threads. */
  readonly cpuMs: number;
}

/** Time that is stepped from one timer to the next; there is one at a time. */
export class SteppedClock implements Clock {
  #elapsed = 0;
  #next: { readonly at: number; readonly callback: () => void } | undefined;

  now(): number {
    return this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimer(ms: number, callback: () => void): Timer {
    this.#next = { at: this.#elapsed + ms, callback };
    return { cancel: () => (this.#next = undefined) };
  }

  afterMicrotasks(callback: () => void): void {
    callback();
  }

  afterMacrotask(callback: () => void): void {
    callback();
  }

  /** Time passes, and no timer fires: the process is busy. */
  block(ms: number): void {
    this.#elapsed += ms;
  }

  /** Steps until `ms` have passed. */
  async run(ms: number, follow?: () => void): Promise<Tick[]> {
    const until = this.#elapsed + ms;
    const ticks: Tick[] = [];
    while (this.#next && this.#next.at <= until) {
      const { at, callback } = this.#next;
      this.#elapsed = Math.max(this.#elapsed, at);
      this.#next = undefined;
      const cpu = cpuUsage();
      const began = performance.now();
      callback();
      follow?.();
      // The microtasks that it has made are due before this one.
      await Promise.resolve();
      const held = performance.now() - began;
      const { user, system } = cpuUsage(cpu);
      ticks.push({ began, ms: held, cpuMs: (user + system) / 1_000 });
    }
    this.#elapsed = until;
    return ticks;
  }
}
