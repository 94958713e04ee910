import type { Observable, Subscriber } from 'rxjs';
import type { CloseOutcome } from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import type { LifecycleObserver, RaceDetail } from '../runtime/lifecycle.observer.js';
import { GuardedObservable, type OnSubscriberError } from './guarded.observable.js';

interface EventOf<T extends string> {
  readonly type: T;
  /** Empty where no connection is concerned. */
  readonly connectionId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Everything that `SafeCloseService.events$` tells. */
export type LifecycleEvent =
  | EventOf<'opened'>
  /** `handleConnection` of every gateway has settled; handlers may start. */
  | EventOf<'ready'>
  /** Closing has begun. */
  | EventOf<'closing'>
  | (EventOf<'closed'> & { readonly outcome: CloseOutcome })
  | (EventOf<'race'> & { readonly kind: RaceKind } & RaceDetail);

type EventBody = LifecycleEvent extends infer E ? (E extends E ? Omit<E, 'at'> : never) : never;

/** Turns what is observed into events, as long as somebody subscribes. */
export class LifecycleEvents implements LifecycleObserver {
  readonly #subscribers = new Set<Subscriber<LifecycleEvent>>();
  readonly events$: Observable<LifecycleEvent>;

  constructor(
    private readonly now: () => number,
    onSubscriberError: OnSubscriberError,
  ) {
    this.events$ = new GuardedObservable(onSubscriberError, (subscriber) => {
      this.#subscribers.add(subscriber);
      subscriber.add(() => this.#subscribers.delete(subscriber));
    });
  }

  opened(connectionId: string): void {
    this.#emit({ type: 'opened', connectionId });
  }

  ready(connectionId: string): void {
    this.#emit({ type: 'ready', connectionId });
  }

  closing(connectionId: string): void {
    this.#emit({ type: 'closing', connectionId });
  }

  closed(outcome: CloseOutcome): void {
    this.#emit({ type: 'closed', connectionId: outcome.connectionId, outcome });
  }

  race(kind: RaceKind, connectionId: string, detail: RaceDetail): void {
    this.#emit({ type: 'race', connectionId, kind, ...detail });
  }

  #emit(body: EventBody): void {
    if (this.#subscribers.size === 0) return;
    const event = { ...body, at: this.now() } as LifecycleEvent;
    for (const subscriber of this.#subscribers) subscriber.next(event);
  }
}
