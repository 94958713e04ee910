import type { Pause } from './schedule.types.js';

/** Waits for so many turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

export async function pauseFor(pause: Exclude<Pause, 'none'>): Promise<void> {
  if (typeof pause === 'number') return turns(pause);
  if (pause === 'tick')
    return new Promise((resolve) => {
      process.nextTick(resolve);
    });
  return Promise.resolve();
}

/** Something that happens once and that others wait for. */
export class Latch {
  done = false;
  #resolve!: () => void;
  readonly reached = new Promise<void>((resolve) => {
    this.#resolve = resolve;
  });

  reach(): void {
    this.done = true;
    this.#resolve();
  }
}
