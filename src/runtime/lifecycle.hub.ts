import type { CloseOutcome } from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import type { LifecycleObserver, RaceDetail } from './lifecycle.observer.js';
import type { SendTotals } from './send-totals.js';
import type { UnacknowledgedMessage } from './unacknowledged.js';

/** Tells every observer, and lets none of them harm a connection by what it throws. */
export class LifecycleHub implements LifecycleObserver {
  readonly #observers: LifecycleObserver[];

  constructor(...observers: LifecycleObserver[]) {
    this.#observers = observers;
  }

  opened(connectionId: string): void {
    this.#tell((observer) => observer.opened(connectionId));
  }

  ready(connectionId: string): void {
    this.#tell((observer) => observer.ready(connectionId));
  }

  closing(connectionId: string): void {
    this.#tell((observer) => observer.closing(connectionId));
  }

  closed(outcome: CloseOutcome, sends: SendTotals): void {
    this.#tell((observer) => observer.closed(outcome, sends));
  }

  unacknowledged(connectionId: string, messages: readonly UnacknowledgedMessage[]): void {
    this.#tell((observer) => observer.unacknowledged?.(connectionId, messages));
  }

  race(kind: RaceKind, connectionId: string, detail: RaceDetail = {}): void {
    this.#tell((observer) => observer.race(kind, connectionId, detail));
  }

  #tell(what: (observer: LifecycleObserver) => void): void {
    for (const observer of this.#observers) {
      try {
        what(observer);
      } catch (error) {
        this.#tellOthers(observer, error);
      }
    }
  }

  #tellOthers(faulty: LifecycleObserver, error: unknown): void {
    for (const observer of this.#observers) {
      if (observer === faulty) continue;
      try {
        observer.race('listener-error', '', { message: 'An observer threw.', error });
      } catch {
        // Both are faulty: nobody is left to tell.
      }
    }
  }
}
