import type { Moves } from './moves.types.js';
import type { Turn } from './turn.record.js';
import { isEnd, type World } from './world.state.js';

/** The peer may still send frames. */
function canSpeak({ peerClosedAt, peerAnswered, peerEnded }: World): boolean {
  return peerClosedAt < 0 && !peerAnswered && !peerEnded;
}

function say({ after: world }: Turn, item: string): void {
  if (!world.deaf || item === 'F') world.inbound += item;
  if (item === 'F') world.peerEnded = true;
}

/** The peer's stack reads one item, and does what RFC 6455 asks for. */
function read(turn: Turn): void {
  const world = turn.after;
  const item = world.stream[world.peerRead++]!;
  if (isEnd(item) && !world.peerEnded) say(turn, 'F');
  if (!canSpeak(world)) return;
  if (item === 'p') say(turn, 'o');
  if (item === 'P') say(turn, 'q');
  if (item === 'X') {
    world.peerAnswered = true;
    say(turn, 'a');
  }
}

const readingMoves: Moves = (world, take) => {
  if (world.peerRead === world.written) return;
  const item = world.stream[world.peerRead]!;
  take('peer', `the peer reads ${item}`, read);
  if (!canSpeak(world) || (item !== 'p' && item !== 'P')) return;
  // RFC 6455 §5.5.3: of several pings only the last needs an answer.
  if (item === 'P' && !world.scenario.peer.silent) return;
  take('choice', `the peer reads ${item} and does not answer`, (turn) => {
    turn.after.peerRead++;
    turn.after.peerSilent ||= item === 'P';
  });
};

/** What the peer does of its own accord. */
export const peerMoves: Moves = (world, take) => {
  const { peer } = world.scenario;
  readingMoves(world, take);
  if (world.messagesLeft > 0 && canSpeak(world)) {
    take('choice', 'the peer sends a message', (turn) => {
      turn.after.messagesLeft--;
      say(turn, 'd');
    });
  }
  if (world.breaksLeft > 0 && canSpeak(world)) {
    take('choice', 'the peer sends a broken frame', (turn) => {
      turn.after.breaksLeft--;
      say(turn, 'g');
    });
  }
  if (peer.closes && canSpeak(world)) {
    take('choice', 'the peer closes on its own', (turn) => {
      turn.after.peerClosedAt = world.peerRead;
      say(turn, 'x');
    });
  }
  if (peer.ends && !world.peerEnded) {
    take('choice', 'the peer ends its stream', (turn) => say(turn, 'F'));
  }
};
