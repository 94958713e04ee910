import type { Core } from './core.parts.js';
import type { Take } from './moves.types.js';
import { peerMoves } from './peer.moves.js';
import { EVENTS } from './scenario.events.js';
import { serverMoves, timerMoves } from './server.moves.js';
import { socketMoves } from './socket.moves.js';
import type { World } from './world.state.js';

/** What a socket may still report once it is destroyed, late or twice. */
const LATE = [
  'peerClosed',
  'peerEnded',
  'protocolFailed',
  'closePong',
  'progress',
  'flushed',
] as const;

/** Everything that can happen next. */
export function movesOf(world: World, core: Core, take: Take): void {
  serverMoves(world, take);
  if (world.dispatching) return;
  timerMoves(world, core, take);
  if (world.destroyed) {
    for (const late of LATE) {
      take('choice', `the socket reports ${late} late`, (turn) => turn.report(EVENTS[late]));
    }
    take('end', 'the socket closes', (turn) => turn.report(EVENTS.socketClosed));
    return;
  }
  socketMoves(world, take);
  peerMoves(world, take);
}
