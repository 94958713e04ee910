import { BOUND_EVENTS, BOUND_STATES } from './bounds.invariants.js';
import { CLOSE_ENDS, CLOSE_EVENTS } from './close.invariants.js';
import { HANDLER_EVENTS, HANDLER_STATES, HANDLER_TURNS } from './handlers.invariants.js';
import { ORDER_STATES } from './order.invariants.js';
import { RACE_EVENTS } from './races.invariants.js';
import { ROOM_STATES, ROOM_TURNS } from './room.invariants.js';
import { SEND_ENDS, SEND_EVENTS, SEND_STATES, SEND_TURNS } from './sends.invariants.js';
import type { Turn } from './turn.record.js';

const STATES = [
  ...ORDER_STATES,
  ...SEND_STATES,
  ...ROOM_STATES,
  ...HANDLER_STATES,
  ...BOUND_STATES,
];
const EVENTS = [
  ...SEND_EVENTS,
  ...CLOSE_EVENTS,
  ...HANDLER_EVENTS,
  ...BOUND_EVENTS,
  ...RACE_EVENTS,
];
const TURNS = [...SEND_TURNS, ...ROOM_TURNS, ...HANDLER_TURNS];
const ENDS = [...SEND_ENDS, ...CLOSE_ENDS];

/** The name of the first invariant that the state after a turn breaks. */
export function brokenByState(turn: Turn): string | undefined {
  for (const { name, holds } of STATES) if (!holds(turn.after, turn)) return name;
  return undefined;
}

/** The name of the first invariant that what happens in a turn breaks. */
export function brokenByTurn(turn: Turn): string | undefined {
  for (const { name, holds } of TURNS) if (!holds(turn)) return name;
  for (const happening of turn.happenings) {
    for (const { name, holds } of EVENTS) if (!holds(happening, turn)) return name;
    if (!happening.effects.includes('settle')) continue;
    for (const { name, holds } of ENDS) if (!holds(turn)) return name;
  }
  return undefined;
}
