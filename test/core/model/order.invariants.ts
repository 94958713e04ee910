import type { StateInvariant } from './invariant.types.js';

/** G2, of every state. */
export const ORDER_STATES: readonly StateInvariant[] = [
  {
    name: 'G2 messages are written in the order in which they were accepted',
    holds: ({ stream, queued, dropped }) => {
      const kept = '123456789'.replaceAll(/./g, (item) => (dropped.includes(item) ? '' : item));
      return kept.startsWith((stream + queued).replaceAll(/[^1-9]/g, ''));
    },
  },
  {
    name: 'G2 at most one close frame is written',
    holds: ({ stream }) => stream.indexOf('X') === stream.lastIndexOf('X'),
  },
  {
    name: 'G2 nothing follows a close frame',
    holds: ({ stream }) => {
      const close = stream.indexOf('X');
      return close < 0 || /^[FC]?$/.test(stream.slice(close + 1));
    },
  },
  {
    name: 'G2 a close frame follows every message that was accepted and is not lost',
    holds: ({ stream, queued, ended }) => !stream.includes('X') || queued === '' || ended,
  },
  {
    name: 'G2 what is sent in the macrotask of a close is accepted',
    holds: ({ grace, machine, ended, destroyed }, { core }) =>
      !grace ||
      core.facts[machine.phase].accepts ||
      ended ||
      destroyed ||
      machine.phase === 'closed',
  },
];
