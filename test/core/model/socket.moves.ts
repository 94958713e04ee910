import { EVENTS, peerAnswered } from './scenario.events.js';
import type { Moves } from './moves.types.js';
import type { Turn } from './turn.record.js';
import { isEnd, isLive, isMessage, messagesIn, type World } from './world.state.js';

/** The socket takes the oldest message that was kept, and a ping that follows it. */
function handOver({ after: world }: Turn): void {
  const count = world.queued[1] === 'p' ? 2 : 1;
  world.stream += world.queued.slice(0, count);
  world.queued = world.queued.slice(count);
}

function finishWrite(turn: Turn): void {
  const world = turn.after;
  const item = world.stream[world.written++]!;
  if (isEnd(item) || isLive(world)) return;
  turn.report(EVENTS.progress);
  if (isMessage(item) && !turn.unwritten) turn.report(EVENTS.flushed);
}

/** Whoever waits for room is let in once less than half of it is taken. */
const roomMoves: Moves = (world, take) => {
  const { room, queued, stream, written, scenario } = world;
  const held = messagesIn(queued) + messagesIn(stream.slice(written));
  if (room === 0 || held > (scenario.limit ?? Infinity) / 2) return;
  take('write', 'a sender that waited is let in', (turn) => {
    turn.after.room--;
    turn.accept();
  });
};

const writeMoves: Moves = (world, take) => {
  roomMoves(world, take);
  if (world.queued !== '' && !world.ended) {
    take('write', 'the socket takes a message', handOver);
  }
  if (world.written < world.stream.length) {
    take('write', `the kernel takes ${world.stream[world.written]}`, finishWrite);
  }
};

function readMessage(turn: Turn): void {
  const world = turn.after;
  const busy = world.scenario.serial && world.running > 0;
  if (turn.core.facts[world.machine.phase].dispatches && !busy) turn.start('new');
  else if (isLive(world)) world.waiting++;
}

function readItem(turn: Turn, item: string): void {
  const world = turn.after;
  switch (item) {
    case 'd':
      readMessage(turn);
      break;
    case 'o': {
      const covered = messagesIn(world.stream.slice(0, world.stream.indexOf('p')));
      world.acknowledged = Math.max(world.acknowledged, covered);
      if (!isLive(world)) turn.report(EVENTS.progress);
      break;
    }
    case 'q':
      turn.report(EVENTS.closePong);
      break;
    case 'F':
      world.peerEndRead = true;
      turn.report(EVENTS.peerEnded);
      break;
    default:
      // Nothing is read after a close frame or a broken one, but the end of the stream is.
      world.deaf = true;
      world.inbound = world.inbound.endsWith('F') ? 'F' : '';
      if (item === 'g') turn.report(EVENTS.protocolFailed);
      else if (item === 'x') turn.report(EVENTS.peerClosed);
      else turn.report(peerAnswered(world.machine.sent!));
  }
}

const readMoves: Moves = (world, take) => {
  const [item] = world.inbound;
  if (item === undefined) return;
  take('read', `we read ${item}`, (turn) => {
    turn.after.inbound = world.inbound.slice(1);
    turn.after.grace = false;
    readItem(turn, item);
  });
  // What is still being inflated is read after the end of the stream was seen.
  if (world.scenario.peer.ends && world.inbound.length > 1 && world.inbound.endsWith('F')) {
    take('choice', 'we see the end of the stream before what came ahead of it', (turn) => {
      turn.after.inbound = world.inbound.slice(0, -1);
      turn.after.grace = false;
      readItem(turn, 'F');
    });
  }
};

/** Both have ended their streams, or we have closed the socket. */
function isOverByItself({ stream, written, peerRead, peerEndRead }: World): boolean {
  if (stream.slice(0, written).endsWith('C')) return true;
  return peerEndRead && stream.slice(0, peerRead).endsWith('F');
}

export const socketMoves: Moves = (world, take) => {
  writeMoves(world, take);
  readMoves(world, take);
  const natural = isOverByItself(world);
  const label = natural ? 'the socket closes' : 'the network ends the socket';
  take(natural ? 'end' : 'choice', label, (turn) => {
    turn.after.grace = false;
    turn.report(EVENTS.socketClosed);
  });
};
