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

/** One Observable of a handler: it ends once, by itself or cut. */
export class HandlerStream {
  #begun = false;
  #ended = false;
  #subscription: { unsubscribe(): void } | undefined;

  constructor(
    private readonly observer: ReplyObserver,
    /** Called exactly once. */
    private readonly onEnd: (stream: HandlerStream) => void,
    private readonly onTeardownError: (error: unknown) => void,
  ) {}

  /**
   * Behind an interceptor every handler is an Observable, and a single reply is its first value:
   * what has given none yet may still reply in the macrotask of a close.
   */
  get patient(): boolean {
    return !this.#begun;
  }

  start(source: ObservableLike): this {
    const error = (thrown: unknown): void => {
      if (this.#end()) this.observer.error(thrown);
    };
    try {
      this.#subscription = source.subscribe({
        next: (value) => {
          if (this.#ended) return;
          this.#begun = true;
          this.observer.next(value);
        },
        error,
        complete: () => {
          if (this.#end()) this.observer.complete();
        },
      });
    } catch (thrown) {
      // rxjs's own never throw here, but what else has its shape may.
      error(thrown);
    }
    if (this.#ended) this.unsubscribe();
    return this;
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
      this.onTeardownError(error);
    }
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.onEnd(this);
    return true;
  }
}
