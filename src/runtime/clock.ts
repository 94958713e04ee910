/** The only way the runtime knows time, so that tests can own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from any fixed moment; never goes back. */
  monotonic(): number;
  /** Runs `callback` once after `ms`; keeps the process alive no longer than its sockets do. */
  setTimer(ms: number, callback: () => void): Timer;
  /** Runs `callback` once the microtasks that are due have run, before anything else is read. */
  afterMicrotasks(callback: () => void): void;
  /** Runs `callback` once the running macrotask and all its microtasks are over. */
  afterMacrotask(callback: () => void): void;
}

/** The longest that a Node timer waits; it fires longer ones at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Timer {
  cancel(): void;
}

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(ms: number, callback: () => void) {
    this.#handle = setTimeout(callback, ms);
    this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (ms, callback) => new SystemTimer(ms, callback),
  afterMicrotasks: (callback) => {
    // Node runs a tick that was added in a tick before any microtask.
    queueMicrotask(() => process.nextTick(callback));
  },
  afterMacrotask: (callback) => {
    setImmediate(callback);
  },
};
