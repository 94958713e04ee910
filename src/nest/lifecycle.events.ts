import { Observable, type Operator, type Subscriber, type Subscription } from 'rxjs';
import type { CloseOutcome } from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import type { LifecycleObserver, RaceDetail } from '../runtime/lifecycle.observer.js';

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

/** Who gave an event stream a subscriber that throws. */
type OnSubscriberError = (error: unknown) => void;

/**
 * An Observable whose subscribers can't harm the process: rxjs reports what they throw as an
 * uncaught exception, from a timer, and so kills the server for a slip in a dashboard.
 */
class GuardedObservable<T> extends Observable<T> {
  constructor(
    private readonly onSubscriberError: OnSubscriberError,
    subscribe?: (subscriber: Subscriber<T>) => void,
  ) {
    super(subscribe);
  }

  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.onSubscriberError);
    lifted.source = this;
    lifted.operator = operator as Operator<unknown, R>;
    return lifted;
  }

  override subscribe(...args: unknown[]): Subscription {
    const [first, error, complete] = args;
    const guarded =
      typeof first === 'function' || first === undefined || first === null
        ? { next: this.#guard(first), error: this.#guard(error), complete: this.#guard(complete) }
        : this.#guardedObserver(first);
    return super.subscribe(guarded);
  }

  /** rxjs's own subscribers, of operators, guard themselves: the app's is at their end. */
  #guardedObserver(observer: object): object {
    if ('closed' in observer && 'add' in observer) return observer;
    const method = (name: 'next' | 'error' | 'complete'): unknown =>
      this.#guard((observer as Record<string, unknown>)[name], observer);
    return { next: method('next'), error: method('error'), complete: method('complete') };
  }

  #guard(callback: unknown, self?: object): ((value?: unknown) => void) | undefined {
    if (typeof callback !== 'function') return undefined;
    return (value) => {
      try {
        Reflect.apply(callback, self, value === undefined ? [] : [value]);
      } catch (error) {
        this.onSubscriberError(error);
      }
    };
  }
}

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
