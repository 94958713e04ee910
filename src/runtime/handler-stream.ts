import type { HandlerCall } from './handler-call.js';
import type { Placed } from './placed-set.js';

/** What rxjs calls an Observable, by shape, so that the runtime depends on none of its copies. */
export interface ObservableLike {
  subscribe(observer: ReplyObserver): { unsubscribe(): void };
}

/** Takes what a handler's Observable gives. */
export interface ReplyObserver {
  next(value: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

export function isObservable(value: unknown): value is ObservableLike {
  return (
    typeof value === 'object' &&
    value !== null &&
    'subscribe' in value &&
    typeof value.subscribe === 'function' &&
    'lift' in value
  );
}

/** What a stream tells of itself. */
export interface StreamListener {
  /** Called exactly once. */
  onStreamEnd(stream: HandlerStream): void;
  /** An error that no exception filter has taken. */
  onHandlerError(error: unknown): void;
}

/**
 * What a source is given: one object rather than three closures, as behind an interceptor there is
 * one for each message. Its methods may be called on an object that only inherits from it, as
 * rxjs 6 does, and rxjs 7 with `useDeprecatedNextContext`; and nothing else may be there to call.
 */
class StreamObserver implements ReplyObserver {
  constructor(private readonly stream: HandlerStream) {}

  next(value: unknown): void {
    this.stream.next(value);
  }

  error(thrown: unknown): void {
    this.stream.error(thrown);
  }

  complete(): void {
    this.stream.complete();
  }
}

/** One Observable of a handler: it ends once, by itself or cut. */
export class HandlerStream implements ReplyObserver, Placed {
  place = 0;
  #begun = false;
  #ended = false;
  #subscription: { unsubscribe(): void } | undefined;

  constructor(
    private readonly listener: StreamListener,
    private readonly observer: ReplyObserver,
    /** That it is a part of. */
    readonly call?: HandlerCall,
  ) {}

  /**
   * Behind an interceptor every handler is an Observable, and a single reply is its first value:
   * what has given none yet may still reply in the macrotask of a close.
   */
  get patient(): boolean {
    return !this.#begun;
  }

  start(source: ObservableLike): this {
    try {
      this.#subscription = source.subscribe(new StreamObserver(this));
    } catch (thrown) {
      // rxjs's own never throw here, but what else has its shape may.
      this.error(thrown);
    }
    if (this.#ended) this.unsubscribe();
    return this;
  }

  next(value: unknown): void {
    if (this.#ended) return;
    this.#begun = true;
    this.observer.next(value);
  }

  error(thrown: unknown): void {
    if (this.#end()) this.observer.error(thrown);
  }

  complete(): void {
    if (this.#end()) this.observer.complete();
  }

  /** Ends it from outside; false where it has ended. */
  cut(): boolean {
    if (!this.#end()) return false;
    this.unsubscribe();
    this.observer.complete();
    return true;
  }

  /** The app's teardown logic may throw. */
  unsubscribe(): void {
    this.#end();
    try {
      this.#subscription?.unsubscribe();
    } catch (error) {
      this.listener.onHandlerError(error);
    }
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.listener.onStreamEnd(this);
    return true;
  }
}
