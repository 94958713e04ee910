/** There is no such connection, or none in that slot. */
const NONE = -1;

/** Before any tick. */
const NEVER = Number.NEGATIVE_INFINITY;

/** Room for so many at first; then for twice as many, each time it runs out. */
const INITIAL_ROOM = 16;

function grown<T extends Int32Array | Float64Array>(column: T, room: number): T {
  const larger = new (column.constructor as new (length: number) => T)(room);
  larger.set(column);
  return larger;
}

/**
 * What a sweep knows of its connections, and when it visits each: a wheel of slots with a list each.
 * A connection is a number, and all that is known of them stands in columns, as an object for each
 * and a place for it in a Set take three times the memory.
 */
export class Visits<T> {
  size = 0;
  readonly #heads: Int32Array;
  readonly #items: (T | undefined)[] = [];
  readonly #free: number[] = [];
  #slot = new Int32Array(INITIAL_ROOM);
  #before = new Int32Array(INITIAL_ROOM);
  #behind = new Int32Array(INITIAL_ROOM);
  // A tick of a millisecond would run out of 32 bits in 25 days.
  #pingedAt = new Float64Array(INITIAL_ROOM);
  #unansweredSince = new Float64Array(INITIAL_ROOM);
  #seenAt = new Float64Array(INITIAL_ROOM);
  #mark = new Float64Array(INITIAL_ROOM);

  /** @param slots - of the wheel */
  constructor(readonly slots: number) {
    this.#heads = new Int32Array(slots).fill(NONE);
  }

  /** Its number, until it is deleted; it is in no slot yet. */
  add(item: T): number {
    const at = this.#free.pop() ?? this.#items.length;
    if (at === this.#slot.length) this.#grow();
    this.#items[at] = item;
    this.#slot[at] = NONE;
    this.#pingedAt[at] = NEVER;
    this.#unansweredSince[at] = NEVER;
    this.size++;
    return at;
  }

  delete(at: number): void {
    this.#unlink(at);
    this.#items[at] = undefined;
    this.#free.push(at);
    this.size--;
  }

  get(at: number): T {
    return this.#items[at]!;
  }

  /** Puts it into the slot of a tick; it must be in none. */
  schedule(at: number, tick: number): void {
    const slot = tick % this.slots;
    const next = this.#heads[slot]!;
    this.#slot[at] = slot;
    this.#before[at] = NONE;
    this.#behind[at] = next;
    if (next !== NONE) this.#before[next] = at;
    this.#heads[slot] = at;
  }

  /** Takes one out of the slot of a tick; `undefined`: there is none left. */
  take(tick: number): number | undefined {
    const at = this.#heads[tick % this.slots]!;
    if (at === NONE) return undefined;
    this.#unlink(at);
    return at;
  }

  // What is known of one.

  /** The tick of its last ping; long ago where there was none. */
  pingedAt(at: number): number {
    return this.#pingedAt[at]!;
  }

  /** The tick of the first ping since it was last heard of; `undefined`: it was. */
  unansweredSince(at: number): number | undefined {
    const tick = this.#unansweredSince[at]!;
    return tick === NEVER ? undefined : tick;
  }

  answered(at: number): void {
    this.#unansweredSince[at] = NEVER;
  }

  pinged(at: number, tick: number): void {
    this.#pingedAt[at] = tick;
  }

  /**
   * Notes what was known of its life as its first unanswered ping was sent.
   *
   * @param mark - `undefined`: what the kernel takes is no sign of life
   */
  await(at: number, tick: number, seenAt: number, mark: number | undefined): void {
    this.#unansweredSince[at] = tick;
    this.#seenAt[at] = seenAt;
    this.#mark[at] = mark ?? Number.NaN;
  }

  seenAt(at: number): number {
    return this.#seenAt[at]!;
  }

  mark(at: number): number | undefined {
    const mark = this.#mark[at]!;
    return Number.isNaN(mark) ? undefined : mark;
  }

  #unlink(at: number): void {
    const slot = this.#slot[at]!;
    if (slot === NONE) return;
    const before = this.#before[at]!;
    const behind = this.#behind[at]!;
    if (before === NONE) this.#heads[slot] = behind;
    else this.#behind[before] = behind;
    if (behind !== NONE) this.#before[behind] = before;
    this.#slot[at] = NONE;
  }

  #grow(): void {
    const room = this.#slot.length * 2;
    this.#slot = grown(this.#slot, room);
    this.#before = grown(this.#before, room);
    this.#behind = grown(this.#behind, room);
    this.#pingedAt = grown(this.#pingedAt, room);
    this.#unansweredSince = grown(this.#unansweredSince, room);
    this.#seenAt = grown(this.#seenAt, room);
    this.#mark = grown(this.#mark, room);
  }
}
