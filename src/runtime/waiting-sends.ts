import type { RefusalCause } from '../core/outcomes.js';
import type { Queued } from './send-queue.js';

/** Options of ws's own `send()` may have anything of that name. */
function listenable(signal: AbortSignal | undefined): AbortSignal | undefined {
  return typeof signal?.addEventListener === 'function' ? signal : undefined;
}

/** Senders that wait until their message is accepted, in the order in which they came. */
export class WaitingSends {
  bytes = 0;
  last: Queued | undefined;
  /** And how to stop listening to their signal. */
  readonly #waiting = new Map<Queued, (() => void) | undefined>();

  /** @param onRefused - told of each that was never accepted, and of the one that waits before it */
  constructor(
    private readonly onRefused: (
      message: Queued,
      before: Queued | undefined,
      cause: RefusalCause,
    ) => void,
  ) {}

  get first(): Queued | undefined {
    return this.#waiting.keys().next().value;
  }

  add(message: Queued): void {
    const signal = listenable(message.request?.signal);
    const onAbort = (): void => {
      this.onRefused(message, this.#forget(message), 'aborted');
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(message, signal && (() => signal.removeEventListener('abort', onAbort)));
    this.last = message;
    this.bytes += message.bytes;
  }

  /** Takes the first out, to be accepted. */
  shift(): Queued | undefined {
    const { first } = this;
    if (first) this.#forget(first);
    return first;
  }

  refuseAll(cause: RefusalCause): void {
    for (let message = this.shift(); message; message = this.shift())
      this.onRefused(message, undefined, cause);
  }

  /** Returns the one before it, where there is somebody who has to know. */
  #forget(message: Queued): Queued | undefined {
    const before = message === this.last || message.barriers ? this.#before(message) : undefined;
    if (message === this.last) this.last = before;
    this.#waiting.get(message)?.();
    this.#waiting.delete(message);
    this.bytes -= message.bytes;
    return before;
  }

  #before(message: Queued): Queued | undefined {
    let before: Queued | undefined;
    for (const each of this.#waiting.keys()) {
      if (each === message) break;
      before = each;
    }
    return before;
  }
}
