/** Milliseconds of a step of virtual time. */
export const TICK = 10;

// See random.ts.
const { ceil, max } = Math;

/** A power of two; 2^14 ticks are 163 s. */
const SLOTS = 2 ** 14;

/** The longest that something can be put off, in ms. */
export const HORIZON = (SLOTS - 1) * TICK;

const NONE = -1;

/**
 * What is due when, for items that are numbers and wait for at most one thing each. A list through
 * one array for each tick: a million of them cost eight megabytes and no allocation.
 */
export class TimeWheel {
  readonly #heads = new Int32Array(SLOTS).fill(NONE);
  readonly #next: Int32Array;
  #slot = 0;
  #pending = 0;

  constructor(items: number) {
    this.#next = new Int32Array(items).fill(NONE);
  }

  get pending(): number {
    return this.#pending;
  }

  /** At least one tick later: what is due now is being visited. */
  schedule(item: number, delay: number): void {
    if (delay > HORIZON) throw new RangeError(`${delay} ms are beyond the wheel's ${HORIZON} ms.`);
    const slot = (this.#slot + max(1, ceil(delay / TICK))) & (SLOTS - 1);
    this.#next[item] = this.#heads[slot]!;
    this.#heads[slot] = item;
    this.#pending++;
  }

  /** Goes on by one tick and visits what is due then. */
  advance(visit: (item: number) => void): void {
    this.#slot = (this.#slot + 1) & (SLOTS - 1);
    let item = this.#heads[this.#slot]!;
    this.#heads[this.#slot] = NONE;
    while (item !== NONE) {
      const after = this.#next[item]!;
      this.#pending--;
      visit(item);
      item = after;
    }
  }

  /** Takes out what is chosen, and returns it. Looks at everything that waits. */
  withdraw(chosen: (item: number) => boolean): number[] {
    const withdrawn: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      let item = this.#heads[slot]!;
      this.#heads[slot] = NONE;
      while (item !== NONE) {
        const after = this.#next[item]!;
        if (chosen(item)) {
          withdrawn.push(item);
        } else {
          this.#next[item] = this.#heads[slot]!;
          this.#heads[slot] = item;
        }
        item = after;
      }
    }
    this.#pending -= withdrawn.length;
    return withdrawn;
  }
}
