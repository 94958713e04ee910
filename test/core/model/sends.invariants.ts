import type { LossCause } from '../../../src/core/outcomes.js';
import type { EventInvariant, StateInvariant, TurnInvariant } from './invariant.types.js';
import { isLive, messagesIn, readByPeer, type World } from './world.state.js';

function trueLossCause({ destruction, peerCloseRead }: World): LossCause {
  return destruction ?? (peerCloseRead ? 'peer-closed' : 'network');
}

/** G3, of every state. */
export const SEND_STATES: readonly StateInvariant[] = [
  {
    name: 'G3 what is acknowledged was read by the peer before it closed',
    holds: (world) => world.acknowledged <= readByPeer(world),
  },
  {
    name: 'G3 nobody waits for room once closing has begun',
    holds: (world) => world.room === 0 || isLive(world),
  },
  {
    name: 'G3 what was dropped is not sent',
    holds: ({ stream, queued, dropped }) =>
      !Array.from(dropped).some((item) => (stream + queued).includes(item)),
  },
];

/** G3, of every event. */
export const SEND_EVENTS: readonly EventInvariant[] = [
  {
    name: 'G3 all is acknowledged once the pong was read before the peer closed',
    holds: ({ event, from }, { after }) =>
      event.type !== 'closePong' ||
      from.phase === 'closing.terminate' ||
      after.acknowledged === after.accepted - after.dropped.length,
  },
];

/** G3, of everything that happens. */
export const SEND_TURNS: readonly TurnInvariant[] = [
  {
    name: 'G3 nothing is accepted that has no outcome',
    holds: ({ attempt, after }) => !attempt?.accepted || after.machine.phase !== 'closed',
  },
  {
    name: 'G3 a refusal says who began to close',
    holds: ({ attempt, after: { began, machine } }) => {
      if (!attempt || attempt.accepted || attempt.waits || attempt.cause === 'overflow')
        return true;
      if (began !== 'server') return attempt.cause === 'peer-closed';
      return attempt.cause === (machine.phase === 'closed' ? 'closed' : 'closing');
    },
  },
];

/** G3, at the end. */
export const SEND_ENDS: readonly TurnInvariant[] = [
  {
    name: 'G3 what was accepted is kept, and lost unsent, or dropped, or was given to the socket',
    holds: ({ after: { stream, queued, dropped, accepted } }) =>
      messagesIn(stream) + messagesIn(queued) + dropped.length === accepted,
  },
  {
    name: 'G3 the cause of a loss is the true one',
    holds: (turn) => {
      if (!turn.unwritten) return true;
      return turn.core.lossCause(turn.after.machine) === trueLossCause(turn.after);
    },
  },
];
