import { BOUND_TURNS, BOUNDS } from './bounds.invariants.js';
import { CLOSES } from './close.invariants.js';
import { HANDLER_TURNS, HANDLERS } from './handlers.invariants.js';
import type { StateInvariant, TurnInvariant } from './invariant.types.js';
import { ORDER } from './order.invariants.js';
import { RACES } from './races.invariants.js';
import { SEND_OUTCOMES, SENDS } from './sends.invariants.js';

export const STATE_INVARIANTS: readonly StateInvariant[] = [
  ...ORDER,
  ...SENDS,
  ...HANDLERS,
  ...BOUNDS,
];

export const TURN_INVARIANTS: readonly TurnInvariant[] = [
  ...SEND_OUTCOMES,
  ...CLOSES,
  ...HANDLER_TURNS,
  ...BOUND_TURNS,
  ...RACES,
];
