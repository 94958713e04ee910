import type { Observable, Subscriber } from 'rxjs';
import type { CloseOutcome } from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import type { LifecycleObserver, RaceDetail } from '../runtime/lifecycle.observer.js';
import type { UnacknowledgedMessage } from '../runtime/unacknowledged.js';
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
  /**
   * Accepted, and not known to have been read: of messages for which an acknowledgement was asked,
   * of all where `send.acknowledge` or `send.onUnacknowledged` is set. In order, after `closed`.
   */
  | (EventOf<'unacknowledged'> & { readonly messages: readonly UnacknowledgedMessage[] })
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

  unacknowledged(connectionId: string, messages: readonly UnacknowledgedMessage[]): void {
    this.#emit({ type: 'unacknowledged', connectionId, messages });
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
