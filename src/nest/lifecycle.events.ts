import { Observable, type Observer, type Operator, type Subscriber, type Subscription } from 'rxjs';
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
 * An Observable whose subscribers can't harm the process: rxjs reports what they throw, and errors
 * of operators that nobody takes, as an uncaught exception, from a timer, and so kills the server
 * for a slip in a dashboard; what an async subscriber throws is an unhandled rejection.
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
    const isObserver = typeof first === 'object' && first !== null;
    // rxjs's own subscribers, of operators, guard themselves: the app's is at their end.
    if (isObserver && 'closed' in first && 'add' in first) {
      return super.subscribe(first as Partial<Observer<T>>);
    }
    const observer: Partial<Observer<unknown>> = isObserver
      ? first
      : ({ next: first, error, complete } as object);
    return super.subscribe({
      next: this.#guard(observer.next, observer),
      error: this.#guard(observer.error, observer) ?? this.onSubscriberError,
      complete: this.#guard(observer.complete, observer),
    } as Partial<Observer<T>>);
  }

  #guard(callback: unknown, self: object): ((value?: unknown) => void) | undefined {
    if (typeof callback !== 'function') return undefined;
    return (value) => {
      try {
        const result: unknown = Reflect.apply(callback, self, value === undefined ? [] : [value]);
        if (result instanceof Promise) result.catch(this.onSubscriberError);
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
