import type { StateInvariant, TurnInvariant } from './invariant.types.js';
import { isLive, messagesIn } from './world.state.js';

/** G11, of every state. */
export const ROOM_STATES: readonly StateInvariant[] = [
  {
    name: 'G11 no more waits than there is room for, but for one message',
    holds: ({ queued, room, scenario }) =>
      messagesIn(queued) + room <= Math.max(1, scenario.limit ?? Infinity),
  },
];

/** G11, of everything that happens. */
export const ROOM_TURNS: readonly TurnInvariant[] = [
  {
    name: 'G2 nobody overtakes those who wait for room',
    holds: ({ attempt, before }) => !attempt?.accepted || before.room === 0,
  },
  {
    name: 'G11 nothing is refused, dropped or made to wait where nothing else is held',
    holds: ({ attempt, before, after }) => {
      const held = messagesIn(before.queued + before.stream.slice(before.written)) + before.room;
      const straight = attempt?.cause !== 'overflow' && !attempt?.waits;
      return held > 0 || (straight && after.dropped === before.dropped);
    },
  },
  {
    name: 'G11 a slow consumer is closed, where that is the policy',
    holds: ({ attempt, after }) =>
      attempt?.cause !== 'overflow' || after.scenario.overflow !== 'close' || !isLive(after),
  },
  {
    name: 'G11 what is dropped makes room for a newer message that is accepted',
    holds: ({ attempt, before, after }) =>
      after.dropped === before.dropped || attempt?.accepted === true,
  },
];
