import type { Turn } from './turn.record.js';
import type { World } from './world.state.js';

/**
 * What kind of thing happens. `choice`: what users, peers and networks do or leave. The others
 * happen by themselves sooner or later, where everybody plays along (G5), except timers.
 */
export type MoveKind =
  | 'macrotask'
  | 'handler'
  | 'write'
  | 'peer'
  | 'read'
  | 'end'
  | 'timer'
  | 'cap'
  | 'choice';

export type Take = (kind: MoveKind, label: string, act: (turn: Turn) => void) => void;

/** Offers everything that can happen next. */
export type Moves = (world: World, take: Take) => void;
