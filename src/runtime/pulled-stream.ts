import type { ReplyObserver } from './handler-stream.js';
import type { Placed } from './placed-set.js';

/** What gives its next value when it is asked: an async generator, a `Readable`, a generator. */
export type Pullable = AsyncIterable<unknown> | Generator;

/** What a stream that is pulled needs of its connection. */
export interface PullHost {
  /** Whether there is room for a value, or a promise of it; `false`: there will be none. */
  readonly room: true | Promise<boolean>;
  /** Calls back once the running macrotask is over. */
  afterMacrotask(callback: () => void): void;
}

/** A source that never waits for anything leaves the event loop to others after so many values. */
const VALUES_PER_MACROTASK = 64;

/** By shape; arrays and other iterables are values that a handler may return. */
export function isPullable(value: unknown): value is Pullable {
  if (typeof value !== 'object' || value === null) return false;
  return (
    Symbol.asyncIterator in value || Object.prototype.toString.call(value) === '[object Generator]'
  );
}

function iteratorOf(source: Pullable): AsyncIterator<unknown> | Iterator<unknown> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source;
}

/**
 * One source of a handler, asked for its next value only while there is room for it: the pace is
 * the reader's (G11). It ends once, by itself or cut.
 */
export class PulledStream implements Placed {
  place = 0;
  #begun = false;
  #ended = false;
  #iterator: ReturnType<typeof iteratorOf> | undefined;

  constructor(
    private readonly host: PullHost,
    private readonly observer: ReplyObserver,
    /** Called exactly once. */
    private readonly onEnd: (stream: PulledStream) => void,
  ) {}

  /** What has given no value yet may still reply in the macrotask of a close. */
  get patient(): boolean {
    return !this.#begun;
  }

  start(source: Pullable): this {
    void this.#pull(source);
    return this;
  }

  /** Ends it from outside; false where it has ended. */
  cut(): boolean {
    if (!this.#end()) return false;
    void this.#return();
    return true;
  }

  async #pull(source: Pullable): Promise<void> {
    try {
      const iterator = (this.#iterator = iteratorOf(source));
      for (let count = 1; await this.host.room; count++) {
        if (this.#ended) return;
        const { done, value } = await iterator.next();
        if (this.#ended) return;
        if (done) break;
        this.#begun = true;
        this.observer.next(value);
        if (count % VALUES_PER_MACROTASK === 0) await this.#macrotask();
      }
      if (this.#end()) this.observer.complete();
    } catch (error) {
      if (this.#end()) this.observer.error(error);
    }
  }

  #macrotask(): Promise<void> {
    return new Promise((resolve) => {
      this.host.afterMacrotask(resolve);
    });
  }

  /** Lets the source clean up; what its `finally` throws comes too late to matter. */
  async #return(): Promise<void> {
    try {
      await this.#iterator?.return?.();
    } catch (error) {
      this.observer.error(error);
    }
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.onEnd(this);
    return true;
  }
}
