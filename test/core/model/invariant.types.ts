import type { Happening, Turn } from './turn.record.js';
import type { World } from './world.state.js';

interface Invariant<Subject extends unknown[]> {
  readonly name: string;
  readonly holds: (...subject: Subject) => boolean;
}

/** Something that is true of every state. */
export type StateInvariant = Invariant<[world: World, turn: Turn]>;

/** Something that is true of everything that happens, or at the end of every connection. */
export type TurnInvariant = Invariant<[turn: Turn]>;

/** Something that is true of every event that the machine takes. */
export type EventInvariant = Invariant<[happening: Happening, turn: Turn]>;
