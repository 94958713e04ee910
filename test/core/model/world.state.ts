import {
  CONNECTING,
  OPEN,
  type ConnectionContext,
  type Destruction,
  type Initiator,
} from '../../../src/core/connection.context.js';
import type { Scenario } from './scenario.list.js';

/**
 * A connection and everything around it at one moment. What was sent is one string, oldest first:
 *
 * - `1`…`9` a message, by the order of acceptance; `p` a ping written while nobody closed
 * - `P` the ping directly before our close frame; `X` our close frame
 * - `F` the end of our stream; `C` that of the socket, which is not read any more
 *
 * and so is what the peer has sent and we have not read: `d` a message for a handler, `o` the
 * pong to `p`, `q` the pong to `P`, `x` a close frame of its own, `a` one that answers ours,
 * `g` a broken frame, `F` the end of its stream.
 */
export interface World {
  readonly scenario: Scenario;
  machine: ConnectionContext;

  /** Accepted and kept by us; given to the socket; how much of that the kernel has. */
  queued: string;
  stream: string;
  written: number;
  accepted: number;
  /** Those that were accepted and given up, as in `stream`. */
  dropped: string;
  /** Senders that wait until theirs is accepted. */
  room: number;
  acknowledged: number;
  ended: boolean;
  destroyed: boolean;

  /** The macrotask of a close that came while messages were accepted is not over. */
  grace: boolean;
  /** `await-macrotask` effects that were not answered. */
  awaited: number;

  waiting: number;
  dispatching: boolean;
  running: number;
  aborted: boolean;
  /** Handlers were aborted at a time when their replies are refused. */
  cut: boolean;
  hook: 'none' | 'awaited' | 'unawaited' | 'ready' | 'rejected';

  inbound: string;
  /** The peer's close frame or a broken one was read: only the end of the stream still is. */
  deaf: boolean;
  peerEndRead: boolean;
  peerCloseRead: boolean;

  /** How much of `stream` the peer has read, now and when it began to close on its own. */
  peerRead: number;
  peerClosedAt: number;
  peerAnswered: boolean;
  peerEnded: boolean;
  /** It left the ping before our close frame unanswered. */
  peerSilent: boolean;

  /** What may still happen. */
  pushesLeft: number;
  pingsLeft: number;
  messagesLeft: number;
  breaksLeft: number;
  terminatesLeft: number;
  closersLeft: number;

  /** The truth that the machine's verdicts are held against. */
  began: Initiator | undefined;
  mustAbort: boolean;
  destruction: Destruction | undefined;
  /** It ended its stream before the end of the socket was awaited. */
  peerEndedFirst: boolean;
  /** It broke the protocol before the end of the socket was awaited. */
  peerFailed: boolean;
  settled: number;
}

export function firstWorld(scenario: Scenario): World {
  return {
    scenario,
    machine: scenario.start === 'open' ? OPEN : CONNECTING,
    queued: '',
    stream: '',
    written: 0,
    accepted: 0,
    dropped: '',
    room: 0,
    acknowledged: 0,
    ended: false,
    destroyed: false,
    grace: false,
    awaited: 0,
    waiting: 0,
    dispatching: false,
    running: 0,
    aborted: false,
    cut: false,
    hook: scenario.hook ? (scenario.start === 'open' ? 'unawaited' : 'awaited') : 'none',
    inbound: '',
    deaf: false,
    peerEndRead: false,
    peerCloseRead: false,
    peerRead: 0,
    peerClosedAt: -1,
    peerAnswered: false,
    peerEnded: false,
    peerSilent: false,
    pushesLeft: scenario.pushes,
    pingsLeft: scenario.pings,
    messagesLeft: scenario.messages,
    breaksLeft: scenario.peer.breaks ? 1 : 0,
    terminatesLeft: scenario.terminate ? 1 : 0,
    closersLeft: (1 << scenario.closers.length) - 1,
    began: undefined,
    mustAbort: false,
    destruction: undefined,
    peerFailed: false,
    peerEndedFirst: false,
    settled: 0,
  };
}

export function isLive({ machine }: World): boolean {
  return machine.phase === 'connecting' || machine.phase === 'open';
}

export const isEnd = (item: string): boolean => item === 'F' || item === 'C';

export const isMessage = (item: string): boolean => item >= '1' && item <= '9';

export function messagesIn(items: string): number {
  let count = 0;
  for (const item of items) if (isMessage(item)) count++;
  return count;
}

/** Something accepted is not in the kernel. */
export function isUnwritten({ queued, stream, written }: World): boolean {
  return queued !== '' || messagesIn(stream.slice(written)) > 0;
}

/** The kernel has our close frame. */
export function isCloseWritten({ stream, written }: World): boolean {
  return stream.slice(0, written).includes('X');
}

/** How many messages the peer's stack has read before it began to close on its own. */
export function readByPeer({ stream, peerRead, peerClosedAt }: World): number {
  return messagesIn(stream.slice(0, peerClosedAt < 0 ? peerRead : peerClosedAt));
}

/** The peer closed on its own, but after it had read all that came before our close frame. */
export function readAllBeforeClosing({ stream, peerClosedAt }: World): boolean {
  return stream.includes('P') && stream.indexOf('P') < peerClosedAt;
}
