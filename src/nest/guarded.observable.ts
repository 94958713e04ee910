import { Observable, type Observer, type Operator, type Subscriber, type Subscription } from 'rxjs';

/** Who gave an event stream a subscriber that throws. */
export type OnSubscriberError = (error: unknown) => void;

/**
 * An Observable whose subscribers can't harm the process: rxjs reports what they throw, and errors
 * of operators that nobody takes, as an uncaught exception, from a timer, and so kills the server
 * for a slip in a dashboard; what an async subscriber throws is an unhandled rejection.
 */
export class GuardedObservable<T> extends Observable<T> {
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
