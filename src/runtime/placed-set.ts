/** What knows its place among the members of one set. */
export interface Placed {
  place: number;
}

/**
 * A set without a hash, for members that come and go with each message (bench, an intercepted
 * handler: a twelfth of it): one that goes leaves its place to the last. Each is in one set at most,
 * and is removed only where it is in it.
 */
export class PlacedSet<T extends Placed> {
  readonly #members: T[] = [];

  /** Those that are in it now, whatever happens to them meanwhile. */
  get members(): T[] {
    return [...this.#members];
  }

  add(member: T): void {
    member.place = this.#members.push(member) - 1;
  }

  remove(member: T): void {
    const last = this.#members.pop()!;
    if (last === member) return;
    this.#members[member.place] = last;
    last.place = member.place;
  }
}
