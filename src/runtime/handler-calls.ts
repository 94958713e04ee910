import {
  HandlerStream,
  isObservable,
  type ObservableLike,
  type ReplyObserver,
} from './handler-stream.js';

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}

/** What the connection does for its handlers. */
export interface HandlerCallsListener {
  /** Whether a reply would be accepted now. */
  readonly accepting: boolean;
  /** Sends a value that a handler returned or emitted; false where it was refused. */
  reply(value: unknown): boolean;
  onStreamCut(): void;
  /** An error that no exception filter has taken. */
  onHandlerError(error: unknown): void;
  /** The last handler in flight has ended. */
  onHandlersSettled(): void;
}

/** The `reason` of the signal that handlers get. */
export class ConnectionClosingError extends Error {
  readonly code = 'ERR_CONNECTION_CLOSING';

  constructor() {
    super('The connection is closing; this reply can no longer be sent.');
    this.name = 'ConnectionClosingError';
  }
}

/**
 * The handlers of one connection: how many run, the signal they can listen to, their replies and
 * Observables (G8). Each call ends once: with its reply sent or refused, its Observable
 * completed or cut, or its error reported.
 */
export class HandlerCalls {
  /** Calls whose promise or Observable has not ended. */
  inFlight = 0;
  /** Replies that were refused, and Observables that were cut. */
  refusedReplies = 0;

  #aborted = false;
  #controller: AbortController | undefined;
  #streams: Set<HandlerStream> | undefined;

  constructor(private readonly listener: HandlerCallsListener) {}

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(new ConnectionClosingError());
    }
    return this.#controller.signal;
  }

  /** Runs a handler, and sends what it returns. */
  run(handler: (data: unknown, event: string) => unknown, data: unknown, event: string): void {
    this.inFlight++;
    let result: unknown;
    try {
      result = handler(data, event);
      // What only looks like a promise may throw, or settle twice.
      if (!(result instanceof Promise) && isThenable(result)) result = Promise.resolve(result);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (result instanceof Promise) void result.then(this.#deliver, this.#fail);
    else this.#deliver(result);
  }

  /** Counts a handler whose replies somebody else sends, as an interceptor does. */
  follow(source: ObservableLike, observer: ReplyObserver): HandlerStream {
    this.inFlight++;
    return this.#stream(source, observer);
  }

  /** Sends one value; what is refused is counted. */
  reply(value: unknown): void {
    if (value === undefined || value === null) return;
    if (!this.listener.reply(value)) this.refusedReplies++;
  }

  /** Aborts the signal and cuts every Observable. What is still awaited is refused when it comes. */
  abort(): void {
    if (!this.#aborted) {
      this.#aborted = true;
      this.#controller?.abort(new ConnectionClosingError());
    }
    for (const stream of this.#streams ?? []) {
      if (!(stream.patient && this.listener.accepting) && stream.cut()) this.#refuseStream();
    }
  }

  readonly #deliver = (value: unknown): void => {
    if (!isObservable(value)) {
      this.reply(value);
      this.#end();
    } else if (this.listener.accepting) {
      this.#stream(value, this.#replies);
    } else {
      this.#refuseStream();
      this.#end();
    }
  };

  readonly #fail = (error: unknown): void => {
    this.listener.onHandlerError(error);
    this.#end();
  };

  readonly #replies: ReplyObserver = {
    next: (value) => this.reply(value),
    error: (error) => this.listener.onHandlerError(error),
    complete: () => {},
  };

  #stream(source: ObservableLike, observer: ReplyObserver): HandlerStream {
    const stream = new HandlerStream(
      observer,
      (ended) => {
        this.#streams?.delete(ended);
        this.#end();
      },
      (error) => this.listener.onHandlerError(error),
    );
    (this.#streams ??= new Set()).add(stream);
    return stream.start(source);
  }

  #refuseStream(): void {
    this.refusedReplies++;
    this.listener.onStreamCut();
  }

  #end(): void {
    if (--this.inFlight === 0) this.listener.onHandlersSettled();
  }
}
