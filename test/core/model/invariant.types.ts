import type { Happening, Turn } from './turn.record.js';
import type { World } from './world.state.js';

/** Something that is true of every state. */
export interface StateInvariant {
  readonly name: string;
  readonly holds: (world: World, turn: Turn) => boolean;
}

/** Something that is true of everything that happens. */
export interface TurnInvariant {
  readonly name: string;
  readonly holds: (turn: Turn) => boolean;
}

/** Something that is true of every event that the machine takes. */
export function ofEvents(
  holds: (happening: Happening, turn: Turn) => boolean,
): TurnInvariant['holds'] {
  return (turn) => {
    for (const happening of turn.happenings) if (!holds(happening, turn)) return false;
    return true;
  };
}

/** Something that is true at the end of every connection. */
export function atTheEnd(holds: (turn: Turn) => boolean): TurnInvariant['holds'] {
  return (turn) =>
    !turn.happenings.some(({ effects }) => effects.includes('settle')) || holds(turn);
}
