import type { EventInvariant, StateInvariant } from './invariant.types.js';
import { isLive } from './world.state.js';

const WATCHED = ['draining.flush', 'closing.handshake'];

/** G5 and G14, of every state. */
export const BOUND_STATES: readonly StateInvariant[] = [
  {
    name: 'G5 every phase but open and closed has a timer or awaits the macrotask',
    holds: ({ machine, awaited }, { core }) => {
      const { phase } = machine;
      if (phase === 'open' || phase === 'closed') return true;
      return (
        core.facts[phase].timer !== undefined || (phase === 'draining.macrotask' && awaited > 0)
      );
    },
  },
  {
    name: 'G5 where the end of the socket is awaited, it was asked for',
    holds: ({ machine, ended, destroyed }) =>
      (machine.phase !== 'closing.end' || ended) &&
      (machine.phase !== 'closing.terminate' || destroyed),
  },
  {
    name: 'G5 the cap runs from the beginning of a close until the socket is destroyed',
    holds: (world, { core }) => {
      const { phase } = world.machine;
      const closing = !isLive(world) && phase !== 'closing.terminate' && phase !== 'closed';
      return core.facts[phase].capped === closing;
    },
  },
  {
    name: "G5 no answer is awaited that can't be read",
    holds: ({ machine, deaf }) => machine.phase !== 'closing.handshake' || !deaf,
  },
  {
    name: 'G14 a closed connection has no timer',
    holds: ({ machine }, { core }) => {
      const { timer, capped } = core.facts[machine.phase];
      return machine.phase !== 'closed' || (timer === undefined && !capped);
    },
  },
  {
    name: 'G14 a connection is settled when it is closed, and once',
    holds: ({ machine, settled }) => settled === Number(machine.phase === 'closed'),
  },
];

/** G5 and G14, of every event. */
export const BOUND_EVENTS: readonly EventInvariant[] = [
  {
    name: 'G5 the timer of a phase counts from the last progress of the reader, and from nothing else',
    holds: ({ event, from, to, effects }) => {
      const progress = event.type === 'progress' || event.type === 'closePong';
      const restarts = WATCHED.includes(from.phase) && to.phase === from.phase && progress;
      return effects.includes('restart-timer') === restarts;
    },
  },
  {
    name: 'G14 nothing happens to a closed connection',
    holds: ({ from, to, effects }) =>
      from.phase !== 'closed' ||
      (to === from && effects.every((effect) => effect.startsWith('tell:'))),
  },
];
