import type { RefusalCause } from '../core/outcomes.js';
import type { Queued } from './send-queue.js';

/** Options of ws's own `send()` may have anything of that name. */
function listenable(signal: AbortSignal | undefined): AbortSignal | undefined {
  return typeof signal?.addEventListener === 'function' ? signal : undefined;
}

/** Senders that wait until their message is accepted, in the order in which they came. */
export class WaitingSends {
  bytes = 0;
  /** And how to stop listening to their signal. */
  readonly #waiting = new Map<Queued, (() => void) | undefined>();

  /** @param onRefused - told of each that was never accepted */
  constructor(private readonly onRefused: (message: Queued, cause: RefusalCause) => void) {}

  get first(): Queued | undefined {
    return this.#waiting.keys().next().value;
  }

  add(message: Queued): void {
    const signal = listenable(message.request?.signal);
    const onAbort = (): void => {
      this.#forget(message);
      this.onRefused(message, 'aborted');
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(message, signal && (() => signal.removeEventListener('abort', onAbort)));
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
      this.onRefused(message, cause);
  }

  #forget(message: Queued): void {
    this.#waiting.get(message)?.();
    this.#waiting.delete(message);
    this.bytes -= message.bytes;
  }
}
