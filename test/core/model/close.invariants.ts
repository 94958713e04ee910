import type { CloseFrame, CloseRequest } from '../../../src/core/close-request.js';
import { NO_STATUS_RECEIVED } from '../../../src/core/close-code.js';
import type { EventInvariant, TurnInvariant } from './invariant.types.js';
import type { Happening, Turn } from './turn.record.js';
import { isCloseWritten, readAllBeforeClosing, type World } from './world.state.js';

/** Whether an event is a request to close, and comes in time to be listed. */
function isListed({ event, from }: Happening): boolean {
  const { phase } = from;
  const live = phase === 'connecting' || phase === 'open';
  switch (event.type) {
    case 'closeRequested':
      return phase !== 'closed';
    case 'rejected':
    case 'overflowed':
    case 'readyTimeout':
      return live;
    case 'protocolFailed':
      return live || phase.startsWith('draining.');
    default:
      return false;
  }
}

/** The most severe; of equals the first. */
function strictest(requests: readonly CloseRequest[]): CloseRequest {
  return requests.toSorted((a, b) => b.precedence - a.precedence)[0]!;
}

function isFrame(
  frame: CloseFrame | undefined,
  { code, reason }: Pick<CloseRequest, 'code' | 'reason'>,
): boolean {
  return frame?.code === (code ?? NO_STATUS_RECEIVED) && frame.reason === reason;
}

/** Both sides began to close before either had read the other's close frame. */
function bothBegan({ began, peerClosedAt }: World): boolean {
  return began === 'server' && peerClosedAt >= 0;
}

const verdictOf = ({ core, after }: Turn) =>
  core.closeVerdict(after.machine, isCloseWritten(after));

/** G4, of every event. */
export const CLOSE_EVENTS: readonly EventInvariant[] = [
  {
    name: 'G4 every request made before the end is listed, and nothing else',
    holds: (happening) => {
      const { event, from, to } = happening;
      const expected = [...from.requests];
      if (isListed(happening) && 'request' in event) expected.push(event.request);
      return (
        to.requests.length === expected.length &&
        to.requests.every((request, index) => request === expected[index])
      );
    },
  },
  {
    name: 'G4 the most severe request made before the close frame decides',
    holds: ({ to, effects }, { after }) => {
      if (!effects.includes('write-close')) return true;
      return after.began === 'peer'
        ? to.received !== undefined && isFrame(to.sent, to.received)
        : isFrame(to.sent, strictest(to.requests));
    },
  },
  {
    name: 'G4 a close frame is noted as sent if and only if it is written',
    holds: ({ from, to, effects }) =>
      (to.sent !== undefined && from.sent === undefined) === effects.includes('write-close'),
  },
  {
    name: 'G4 a close frame that was written does not change',
    holds: ({ from, to }) =>
      !from.sent || (isFrame(to.sent, from.sent) && from.decided === to.decided),
  },
  {
    name: 'G4 the socket is closed only once the peer has read all before our close frame, and closed',
    holds: ({ effects }, { after }) =>
      !effects.includes('close-socket') ||
      (after.peerCloseRead && after.stream.slice(0, after.peerRead).includes('P')),
  },
  {
    name: 'G4 a peer that closed is answered before the socket ends',
    holds: ({ from, to }, { after }) =>
      to.phase !== 'closing.end' ||
      from.phase === 'closing.end' ||
      !after.peerCloseRead ||
      after.stream.includes('X'),
  },
];

/** G4, at the end. */
export const CLOSE_ENDS: readonly TurnInvariant[] = [
  {
    name: 'G4 the outcome lists all but the deciding request as superseded',
    holds: (turn) => {
      const { began, machine } = turn.after;
      const kept = verdictOf(turn).requests.filter(({ superseded }) => !superseded);
      if (machine.requests.length === 0 || (began === 'peer' && machine.sent)) {
        return kept.length === 0;
      }
      const [decided] = kept;
      return (
        kept.length === 1 &&
        (machine.sent
          ? isFrame(machine.sent, decided!)
          : isFrame(decided, strictest(machine.requests)))
      );
    },
  },
  {
    name: 'G4 the initiator is who began',
    holds: (turn) => verdictOf(turn).initiator === turn.after.began,
  },
  {
    name: 'G4 a clean close was answered, or all was read before the peer closed',
    holds: (turn) => {
      if (verdictOf(turn).handshake !== 'clean') return true;
      const { peerAnswered, began, machine } = turn.after;
      const answered = peerAnswered || (began === 'peer' && machine.sent !== undefined);
      return answered || readAllBeforeClosing(turn.after);
    },
  },
  {
    name: 'G4 a crossed close was begun by both, or the peer answers no pings',
    holds: (turn) =>
      verdictOf(turn).handshake !== 'crossed' || bothBegan(turn.after) || turn.after.peerSilent,
  },
  {
    name: 'G4 a close is terminated or lost if and only if the frames were not exchanged',
    holds: (turn) => {
      const { stream, peerCloseRead, peerFailed, peerEndedFirst, destruction } = turn.after;
      const { handshake } = verdictOf(turn);
      const exchanged = isCloseWritten(turn.after) && peerCloseRead;
      if (exchanged) return handshake === 'clean' || handshake === 'crossed';
      const gaveUp = peerFailed && stream.includes('X') && !peerEndedFirst;
      const ours = destruction !== undefined || gaveUp;
      return handshake === (ours ? 'terminated' : 'lost');
    },
  },
  {
    name: 'G4 both sides agree on the code of a clean close',
    holds: (turn) => {
      const verdict = verdictOf(turn);
      if (verdict.handshake !== 'clean') return true;
      const { sent, received } = turn.after.machine;
      return isFrame(sent, verdict) && (!turn.after.peerAnswered || isFrame(received, verdict));
    },
  },
];
