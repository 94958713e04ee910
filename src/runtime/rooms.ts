import { inspect } from 'node:util';

const NONE: ReadonlySet<never> = new Set();

/** It knows its name, so that all who are in it share one string of it. */
class Room<C> extends Set<C> {
  constructor(readonly name: string) {
    super();
  }
}

/**
 * What the app reads of a connection's rooms, uncopied: a name removed here alone would leave the
 * connection in the room for ever.
 */
class RoomNames extends Set<string> {
  override add(): never {
    throw new TypeError('The rooms of a connection can only be read: use join() and leave().');
  }

  override delete(): never {
    return this.add();
  }

  override clear(): never {
    return this.add();
  }
}

/**
 * Who is in which room: an entry in the set of the room and one in the member's own, and nothing
 * else. A room is there as long as somebody is in it.
 */
export class Rooms<C extends object> {
  readonly #members = new Map<string, Room<C>>();

  /** How many rooms there are. */
  get size(): number {
    return this.#members.size;
  }

  membersOf(room: string): ReadonlySet<C> {
    return this.#members.get(room) ?? NONE;
  }

  /** Returns the name to keep: the one that all members share. */
  add(room: string, member: C): string {
    let members = this.#members.get(room);
    if (!members) this.#members.set(room, (members = new Room(room)));
    members.add(member);
    return members.name;
  }

  /** Whether it was in that room. */
  delete(room: string, member: C): boolean {
    const members = this.#members.get(room);
    if (!members?.delete(member)) return false;
    if (members.size === 0) this.#members.delete(room);
    return true;
  }
}

/** The rooms of one connection. */
export class Membership<C extends object> {
  readonly #names = new RoomNames();

  constructor(
    private readonly rooms: Rooms<C>,
    private readonly member: C,
  ) {}

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  join(room: string): void {
    Set.prototype.add.call(this.#names, this.rooms.add(room, this.member));
  }

  /** After `end()` it changes nothing. */
  leave(room: string): void {
    if (this.rooms.delete(room, this.member)) Set.prototype.delete.call(this.#names, room);
  }

  /** Leaves all, whose names can still be read. */
  end(): void {
    for (const room of this.#names) this.rooms.delete(room, this.member);
  }
}

/** What can't be the names of rooms, for people. */
export function invalidRoomsText(invalid: readonly unknown[]): string {
  return `join() takes names that are not empty; it got ${inspect(invalid[0])}, and joins none.`;
}

/** What can't be the name of a room. */
export function invalidRooms(rooms: readonly unknown[]): unknown[] {
  return rooms.filter((room) => typeof room !== 'string' || room === '');
}
