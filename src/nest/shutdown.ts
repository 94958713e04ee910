import { Logger } from '@nestjs/common';
import type { Observable, Subscriber } from 'rxjs';
import type { Timer } from '../runtime/clock.js';
import type { Drain, DrainProgress, DrainReport } from '../runtime/drain.js';
import type { Runtime } from '../runtime/runtime.js';
import { GuardedObservable } from './guarded.observable.js';
import { shutdownFaults } from './options.validation.js';
import type { ShutdownOptions } from './safe-close.options.js';
import type { ShutdownValues } from './shutdown.values.js';

/** How `drain()` may differ from the module's options. */
export type DrainOptions = Omit<ShutdownOptions, 'preset' | 'retryAfter'>;

/** How often subscribers of `drain$` are told within one phase. */
const PROGRESS_INTERVAL_MS = 100;
/** Nest's own shutdown hooks take one of each; a second one means that somebody is in a hurry. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Drains the server of one module, and tells of it. */
export class Shutdown {
  readonly drain$: Observable<DrainProgress>;
  readonly #log = new Logger('SafeClose');
  readonly #subscribers = new Set<Subscriber<DrainProgress>>();
  #phase = 'serving';
  #ticker: Timer | undefined;
  #report: Promise<DrainReport> | undefined;

  constructor(
    private readonly engineDrain: Drain,
    private readonly runtime: Runtime,
    private readonly values: ShutdownValues,
  ) {
    const onSubscriberError = (error: unknown): void => {
      runtime.observer.race('listener-error', '', {
        message: 'A subscriber of drain$ threw.',
        error,
      });
    };
    this.drain$ = new GuardedObservable(onSubscriberError, (subscriber) => {
      if (engineDrain.phase === 'drained') {
        subscriber.complete();
        return;
      }
      this.#subscribers.add(subscriber);
      subscriber.add(() => this.#subscribers.delete(subscriber));
      if (this.isDraining) this.#emit();
    });
    engineDrain.onProgress = () => this.#onProgress();
  }

  get isDraining(): boolean {
    return this.engineDrain.phase !== 'serving';
  }

  /** Begins, or joins what has begun; never rejects. */
  drain(options: DrainOptions = {}): Promise<DrainReport> {
    return (this.#report ??= this.#drain(options));
  }

  async #drain(options: DrainOptions): Promise<DrainReport> {
    const faults = shutdownFaults(options);
    for (const { option, expected } of faults) {
      this.#log.warn(`drain(): ${option} is ignored; valid: ${expected}.`);
    }
    const faulty = new Set(faults.map(({ option }) => option));
    const given = Object.entries(Object(options) as object).filter(
      ([name, value]) => value !== undefined && !faulty.has(name),
    );
    const stopListening = this.#hurryBySignal();
    const report = await this.engineDrain.begin({ ...this.values, ...Object.fromEntries(given) });
    stopListening();
    if (report.deadlineHit) this.#warn(report);
    return report;
  }

  #warn({ terminated, hooksOverran, durationMs }: DrainReport): void {
    const { names } = this.runtime.hooks;
    this.#log.warn(
      `The drain hit its deadline after ${Math.round(durationMs)} ms: ${terminated} connections ` +
        `terminated, ${hooksOverran} hooks still running${names && ` (${names})`}.`,
    );
  }

  /** Only where somebody else listens: a process that a signal is to kill is still killed. */
  #hurryBySignal(): () => void {
    const hurry = (): void => this.engineDrain.hurry();
    const heard = SIGNALS.filter((signal) => process.listenerCount(signal) > 0);
    for (const signal of heard) process.on(signal, hurry);
    return () => {
      for (const signal of heard) process.off(signal, hurry);
    };
  }

  #onProgress(): void {
    const { phase } = this.engineDrain;
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#emit();
    if (phase !== 'drained') return;
    this.#ticker?.cancel();
    for (const subscriber of this.#subscribers) subscriber.complete();
  }

  /** Now, and again as long as somebody looks on. */
  #emit(): void {
    this.#ticker?.cancel();
    if (this.#subscribers.size === 0) return;
    const progress = this.engineDrain.progress();
    for (const subscriber of this.#subscribers) subscriber.next(progress);
    this.#ticker = this.runtime.clock.setTimer(PROGRESS_INTERVAL_MS, () => this.#emit());
  }
}
