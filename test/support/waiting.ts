import { DeadlineError } from './losses.js';

/** Far beyond what any step takes on a busy machine; below jest's own limit for a test. */
const DEFAULT_BOUND_MS = 8_000;

let bound = DEFAULT_BOUND_MS;

/** For a race that is expected to be lost: what won't happen is not waited for as long. */
export async function withBound<T>(ms: number, body: () => Promise<T>): Promise<T> {
  bound = ms;
  try {
    return await body();
  } finally {
    bound = DEFAULT_BOUND_MS;
  }
}

/** Waits for an event that a promise stands for, but not for ever: its absence loses the race. */
export function within<T>(promise: Promise<T>, what: string): Promise<T> {
  return bounded(promise, bound, new DeadlineError(`Waited ${bound} ms for ${what}.`));
}

/** The same for what a test needs before the race begins: its absence is a fault of the setting. */
export function prepared<T>(promise: Promise<T>, what: string): Promise<T> {
  const ms = DEFAULT_BOUND_MS;
  return bounded(promise, ms, new Error(`Waited ${ms} ms for ${what}.`));
}

async function bounded<T>(promise: Promise<T>, ms: number, error: Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(error), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Things that happen one by one, for those who wait for the n-th of them. */
export class Tally<T = void> {
  readonly all: T[] = [];
  readonly #waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  get count(): number {
    return this.all.length;
  }

  add(item: T): void {
    this.all.push(item);
    for (const waiter of this.#waiters) if (waiter.count <= this.count) waiter.resolve();
  }

  /** Waits until there have been `count` of them. */
  async reached(count: number, what: string): Promise<void> {
    if (this.count >= count) return;
    const { promise, resolve } = deferred();
    this.#waiters.push({ count, resolve });
    try {
      await within(promise, `${count} × ${what}`);
    } catch (error) {
      if (error instanceof DeadlineError) error.message += ` There were ${this.count}.`;
      throw error;
    }
  }

  /** Waits for the n-th, counted from 0. */
  async at(index: number, what: string): Promise<T> {
    await this.reached(index + 1, what);
    return this.all[index]!;
  }
}

/** One more turn of the event loop: what the running macrotask has begun has gone its way. */
export function nextMacrotask(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
