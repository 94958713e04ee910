import type { HandlerCall } from './handler-call.js';
import {
  HandlerStream,
  isObservable,
  type ObservableLike,
  type ReplyObserver,
  type StreamListener,
} from './handler-stream.js';
import { PlacedSet } from './placed-set.js';
import { isPullable, PulledStream, type Pullable, type PullHost } from './pulled-stream.js';
import { isThenable } from './thenable.js';

/** What the connection does for its handlers. */
export interface HandlerCallsListener extends PullHost {
  /** Whether a reply would be accepted now. */
  readonly accepting: boolean;
  /** Sends a value that a handler returned or emitted; false where it was refused. */
  reply(value: unknown, conflate?: string): boolean;
  onStreamCut(): void;
  /** An error that no exception filter has taken. */
  onHandlerError(error: unknown): void;
  /** An error of a source that no exception filter knows of. */
  onPullError(error: unknown): void;
  /** The last handler in flight has ended. */
  onHandlersSettled(): void;
}

interface Settled {
  readonly onResult: (value: unknown) => void;
  readonly onFailure: (error: unknown) => void;
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
export class HandlerCalls implements StreamListener {
  /** Calls whose promise or Observable has not ended. */
  inFlight = 0;
  /** Told of the end of each, while somebody waits for it. */
  onEnded: (() => void) | undefined;
  /** Replies that were refused, and Observables that were cut. */
  refusedReplies = 0;

  #aborted = false;
  #controller: AbortController | undefined;
  /** Made with the first promise. */
  #settled: Settled | undefined;
  /** Made with the first Observable whose replies are like any other's. */
  #replies: ReplyObserver | undefined;
  #streams: PlacedSet<HandlerStream | PulledStream> | undefined;

  constructor(private readonly listener: HandlerCallsListener) {}

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(new ConnectionClosingError());
    }
    return this.#controller.signal;
  }

  /** Runs a handler, and sends what it returns. */
  run(
    handler: (data: unknown, event: string) => unknown,
    data: unknown,
    event: string,
    call?: HandlerCall,
  ): void {
    this.inFlight++;
    let result: unknown;
    try {
      result = handler(data, event);
      // What only looks like a promise may throw, or settle twice.
      if (!(result instanceof Promise) && isThenable(result)) result = Promise.resolve(result);
    } catch (error) {
      this.#fail(error, call);
      return;
    }
    if (!(result instanceof Promise)) this.#deliver(result, call);
    else if (call) {
      void result.then(
        (value) => this.#deliver(value, call),
        (error) => this.#fail(error, call),
      );
    } else {
      const settled = (this.#settled ??= this.#newSettled());
      void result.then(settled.onResult, settled.onFailure);
    }
  }

  /** Counts a handler whose replies somebody else sends, as an interceptor does. */
  follow(source: ObservableLike, observer: ReplyObserver, call?: HandlerCall): HandlerStream {
    this.inFlight++;
    return this.#stream(source, observer, call);
  }

  /** Sends one value, or all that it gives; what is refused is counted. */
  reply(value: unknown, call?: HandlerCall): void {
    if (value === undefined || value === null) return;
    if (isPullable(value) && this.listener.accepting) {
      this.inFlight++;
      call?.begin();
      this.#pull(value, call);
    } else if (!this.listener.reply(value, this.#keyOf(value, call))) this.refusedReplies++;
  }

  /** Aborts the signal and cuts every Observable. What is still awaited is refused when it comes. */
  abort(): void {
    if (!this.#aborted) {
      this.#aborted = true;
      this.#controller?.abort(new ConnectionClosingError());
    }
    for (const stream of this.#streams?.members ?? []) {
      if (!(stream.patient && this.listener.accepting) && stream.cut()) this.#refuseStream();
    }
  }

  onStreamEnd(stream: HandlerStream): void {
    this.#endStream(stream, stream.call);
  }

  onHandlerError(error: unknown): void {
    this.listener.onHandlerError(error);
  }

  #newSettled(): Settled {
    return {
      onResult: (value) => this.#deliver(value),
      onFailure: (error) => this.#fail(error),
    };
  }

  #deliver(value: unknown, call?: HandlerCall): void {
    if (!isObservable(value)) {
      this.reply(value, call);
      this.#end(call);
    } else if (this.listener.accepting) {
      this.#stream(value, this.#repliesOf(call), call);
    } else {
      this.#refuseStream();
      this.#end(call);
    }
  }

  #fail(error: unknown, call?: HandlerCall): void {
    this.listener.onHandlerError(error);
    this.#end(call);
  }

  /** The app's own function may throw: then the reply is one of its own. */
  #keyOf(reply: unknown, call: HandlerCall | undefined): string | undefined {
    try {
      return call?.keyOf(reply);
    } catch (error) {
      this.listener.onHandlerError(error);
      return undefined;
    }
  }

  #repliesOf(call: HandlerCall | undefined): ReplyObserver {
    return call ? this.#newReplies(call) : (this.#replies ??= this.#newReplies());
  }

  #newReplies(call?: HandlerCall): ReplyObserver {
    return {
      next: (value) => this.reply(value, call),
      error: (error) => this.listener.onHandlerError(error),
      complete: () => {},
    };
  }

  #stream(
    source: ObservableLike,
    observer: ReplyObserver,
    call: HandlerCall | undefined,
  ): HandlerStream {
    const stream = new HandlerStream(this, observer, call);
    (this.#streams ??= new PlacedSet()).add(stream);
    return stream.start(source);
  }

  #pull(source: Pullable, call: HandlerCall | undefined): void {
    const observer = {
      next: (value: unknown) => this.reply(value, call),
      error: (error: unknown) => this.listener.onPullError(error),
      complete: () => {},
    };
    const stream = new PulledStream(this.listener, observer, (ended) => {
      this.#endStream(ended, call);
    });
    (this.#streams ??= new PlacedSet()).add(stream);
    stream.start(source);
  }

  #endStream(stream: HandlerStream | PulledStream, call: HandlerCall | undefined): void {
    this.#streams!.remove(stream);
    this.#end(call);
  }

  #refuseStream(): void {
    this.refusedReplies++;
    this.listener.onStreamCut();
  }

  #end(call?: HandlerCall): void {
    this.inFlight--;
    call?.end();
    if (this.inFlight === 0) this.listener.onHandlersSettled();
    this.onEnded?.();
  }
}
