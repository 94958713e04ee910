import type { RaceKind } from '../../../src/core/races.js';
import type { EventInvariant } from './invariant.types.js';
import type { Happening } from './turn.record.js';

const LIVE = ['connecting', 'open'];

/** What somebody who observes the connection is to be told of an event. */
function raceOf({ event, from, to }: Happening): RaceKind | undefined {
  const draining = from.phase.startsWith('draining.');
  const ended = from.phase === 'closing.end' || from.phase === 'closing.terminate';
  if (from.phase === 'closed') {
    const calls = ['closeRequested', 'terminateRequested', 'ready', 'rejected'];
    const own = [...calls, 'overflowed', 'macrotaskEnded', 'handlersSettled'];
    return own.includes(event.type) ? undefined : 'late-socket-event';
  }
  switch (event.type) {
    case 'closeRequested':
      return LIVE.includes(from.phase) ? undefined : 'concurrent-close';
    case 'peerClosed':
      return to.crossed && !from.crossed ? 'crossed-close' : undefined;
    case 'protocolFailed':
      return ended ? undefined : 'protocol-error';
    case 'peerLost':
      return 'peer-lost';
    case 'overflowed':
      return LIVE.includes(from.phase) ? 'slow-consumer' : undefined;
    case 'readyTimeout':
      return 'ready-timeout';
    case 'settleTimeout':
      return 'settle-timeout';
    case 'flushTimeout':
      return 'flush-timeout';
    case 'handshakeTimeout':
      return from.phase === 'closing.terminate' ? 'transport-stuck' : 'handshake-timeout';
    case 'deadline':
      if (from.phase === 'draining.flush') return 'flush-timeout';
      return draining ? undefined : 'handshake-timeout';
    default:
      return undefined;
  }
}

/** G13, of every event. */
export const RACE_EVENTS: readonly EventInvariant[] = [
  {
    name: 'G13 every race is told when it is met, and nothing else is',
    holds: (happening) => {
      const told = happening.effects.filter((effect) => effect.startsWith('tell:'));
      const race = raceOf(happening);
      return race ? told.length === 1 && told[0] === `tell:${race}` : told.length === 0;
    },
  },
];
