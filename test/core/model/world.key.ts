import { isCloseWritten, isUnwritten, readAllBeforeClosing, type World } from './world.state.js';

/**
 * Once the socket is destroyed, only what the verdict is held against still matters: whether
 * something was unwritten, and how far the peer had read when it closed.
 */
function afterDestruction(world: World): World {
  const { length } = world.stream;
  const beforeClose = world.stream.indexOf('X') < 0 ? length : world.stream.indexOf('X');
  return {
    ...world,
    peerClosedAt: world.peerClosedAt < 0 ? -1 : readAllBeforeClosing(world) ? length : 0,
    written: isUnwritten(world) ? 0 : isCloseWritten(world) ? length : beforeClose,
    peerRead: length,
    acknowledged: 0,
    pushesLeft: 1,
    pingsLeft: 0,
    messagesLeft: 0,
    breaksLeft: 0,
    inbound: '',
    deaf: true,
    peerEndRead: true,
    peerEnded: true,
    grace: false,
  };
}

/** Once the verdict is given, not even that. */
function afterTheEnd(world: World): World {
  return {
    ...world,
    queued: '',
    dropped: '',
    stream: '',
    accepted: 0,
    written: 0,
    peerRead: 0,
    peerClosedAt: -1,
    peerAnswered: false,
    peerCloseRead: false,
    peerSilent: false,
    peerFailed: false,
    peerEndedFirst: false,
    destruction: undefined,
    ended: true,
    destroyed: true,
  };
}

/** Forgets what can't matter any more, so that worlds that differ only in that become one. */
export function forgetful(world: World): World {
  if (world.machine.phase === 'closed') return afterTheEnd(afterDestruction(world));
  return world.destroyed ? afterDestruction(world) : world;
}

const HOOKS = { none: 0, awaited: 1, unawaited: 2, ready: 3, rejected: 4 };
const BEGAN = { server: 1, peer: 2, network: 3 };
const DESTRUCTIONS = { terminated: 1, 'flush-timeout': 2 };

// Looked up once: in jest's context each look at a global is slow.
const { fromCharCode } = String;

function flagsOf(world: World): number {
  let flags = 0;
  if (world.ended) flags += 1;
  if (world.destroyed) flags += 2;
  if (world.grace) flags += 4;
  if (world.dispatching) flags += 8;
  if (world.aborted) flags += 16;
  if (world.deaf) flags += 32;
  if (world.peerEndRead) flags += 64;
  if (world.peerAnswered) flags += 128;
  if (world.peerEnded) flags += 256;
  if (world.peerSilent) flags += 512;
  if (world.mustAbort) flags += 1024;
  if (world.peerCloseRead) flags += 2048;
  if (world.cut) flags += 4096;
  if (world.peerFailed) flags += 8192;
  if (world.peerEndedFirst) flags += 16384;
  return flags;
}

/** Two worlds with one key are one state; `machine` is the number of its context. */
export function keyOf(world: World, machine: number): string {
  const counts = fromCharCode(
    machine,
    flagsOf(world),
    world.written * 16 + world.peerRead,
    (world.peerClosedAt + 1) * 256 + world.accepted * 16 + world.acknowledged,
    world.waiting * 1024 + world.running * 128 + world.awaited * 16 + world.settled,
    HOOKS[world.hook] * 16 +
      (world.began ? BEGAN[world.began] : 0) * 4 +
      (world.destruction ? DESTRUCTIONS[world.destruction] : 0),
    world.pushesLeft * 1024 + world.pingsLeft * 256 + world.messagesLeft * 16 + world.breaksLeft,
    world.terminatesLeft * 256 + world.closersLeft,
  );
  return `${counts}${world.room}${world.dropped}|${world.queued}|${world.stream}|${world.inbound}`;
}
