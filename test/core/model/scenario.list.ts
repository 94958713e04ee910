import type { EventOf } from '../../../src/core/connection.events.js';
import type { OverflowPolicy } from '../../../src/core/overflow.js';
import {
  GOING_AWAY,
  GOODBYE,
  GOODBYE_AFTER_REPLIES,
  INSISTENT,
  KICKED,
  WORDLESS,
} from './scenario.events.js';

/** What may happen in one exploration; everything in it happens in every order. */
export interface Scenario {
  readonly name: string;
  readonly start: 'connecting' | 'open';
  /** A `handleConnection` runs; from `open`, nobody waits for it. */
  readonly hook: boolean;
  /** How many messages services may send, pings be sent, and the peer send to handlers. */
  readonly pushes: number;
  readonly pings: number;
  readonly messages: number;
  readonly closers: readonly EventOf<'closeRequested'>[];
  readonly terminate: boolean;
  /** How many messages there is room for, where it is limited, and what becomes of others. */
  readonly limit?: number;
  readonly overflow: OverflowPolicy;
  /** A message may take the place of the newest that waits. */
  readonly conflates: boolean;
  /** One handler runs at a time; other messages wait for it. */
  readonly serial: boolean;
  /** A handler sends something from its abort signal's listener. */
  readonly lastWords: boolean;
  readonly peer: {
    readonly closes?: boolean;
    /** It may leave pings unanswered: the one before our close frame, and the heartbeat's. */
    readonly silent?: boolean;
    /** It may send a frame that breaks the protocol. */
    readonly breaks?: boolean;
    /** It may end its stream at any time. */
    readonly ends?: boolean;
  };
}

const NOTHING: Omit<Scenario, 'name'> = {
  start: 'open',
  hook: false,
  pushes: 0,
  pings: 0,
  messages: 0,
  closers: [],
  terminate: false,
  overflow: 'refuse',
  conflates: false,
  serial: false,
  lastWords: false,
  peer: {},
};

function scenario(name: string, bounds: Partial<Scenario>): Scenario {
  return { ...NOTHING, ...bounds, name };
}

/** Small ones, in which a mistake shows soon. */
export const SKETCHES: readonly Scenario[] = [
  scenario('a message and a close', {
    pushes: 1,
    closers: [GOODBYE],
    terminate: true,
    peer: { closes: true },
  }),
  scenario('a handler and two who close', {
    messages: 1,
    closers: [GOING_AWAY, GOODBYE],
    peer: { closes: true },
  }),
  scenario('two handlers that both who close let finish', {
    messages: 2,
    pushes: 1,
    closers: [GOING_AWAY, GOODBYE_AFTER_REPLIES],
  }),
  scenario('a handler that another message waits for', {
    messages: 2,
    serial: true,
    closers: [GOING_AWAY],
    peer: { closes: true },
  }),
  scenario('a handler that another message waits for, and a peer that breaks or ends its stream', {
    messages: 2,
    serial: true,
    hook: true,
    terminate: true,
    peer: { breaks: true, ends: true },
  }),
  scenario('a peer that breaks or ends its stream', {
    pushes: 1,
    closers: [GOING_AWAY],
    peer: { closes: true, breaks: true, ends: true },
  }),
  scenario('a handler, and a peer that breaks or ends its stream', {
    messages: 1,
    closers: [GOING_AWAY],
    terminate: true,
    peer: { closes: true, breaks: true, ends: true },
  }),
  scenario('a hook that is waited for', {
    start: 'connecting',
    hook: true,
    messages: 1,
    pushes: 1,
    terminate: true,
    closers: [GOODBYE],
    peer: { closes: true, silent: true },
  }),
  scenario('a hook that is waited for, and a peer that breaks or ends its stream', {
    start: 'connecting',
    hook: true,
    messages: 1,
    peer: { breaks: true, ends: true },
  }),
  scenario('a hook that nobody waits for', {
    hook: true,
    messages: 1,
    terminate: true,
    closers: [GOING_AWAY],
    peer: { closes: true },
  }),
  scenario('a slow consumer', {
    start: 'connecting',
    hook: true,
    pushes: 2,
    messages: 1,
    limit: 1,
    overflow: 'close',
    terminate: true,
  }),
  scenario('a slow consumer whose handler may finish', {
    pushes: 2,
    messages: 1,
    limit: 1,
    overflow: 'close',
    closers: [GOING_AWAY],
  }),
  scenario('messages that are dropped or conflated', {
    pushes: 3,
    limit: 2,
    overflow: 'drop-oldest',
    conflates: true,
    closers: [GOING_AWAY],
  }),
  scenario('senders that wait for room', {
    pushes: 3,
    messages: 1,
    limit: 2,
    overflow: 'wait',
    closers: [GOODBYE],
  }),
];

/** Larger ones, in which what takes more parties to go wrong would show. */
export const SCENARIOS: readonly Scenario[] = [
  ...SKETCHES,
  scenario('three messages', {
    pushes: 3,
    closers: [GOING_AWAY, GOODBYE],
    peer: { closes: true },
  }),
  scenario('two messages and a ping', {
    pushes: 2,
    pings: 1,
    closers: [GOING_AWAY],
    terminate: true,
    peer: { closes: true, silent: true, ends: true },
  }),
  scenario('two handlers that speak when they are aborted', {
    messages: 2,
    pushes: 1,
    lastWords: true,
    closers: [GOING_AWAY, KICKED],
    terminate: true,
    peer: { closes: true },
  }),
  scenario('three who close', {
    messages: 1,
    pushes: 1,
    closers: [GOODBYE_AFTER_REPLIES, GOODBYE, KICKED],
    peer: { closes: true },
  }),
  scenario('one who insists and one without a code', {
    pushes: 1,
    closers: [WORDLESS, KICKED, INSISTENT],
    terminate: true,
    peer: { closes: true, ends: true },
  }),
  scenario('a hook that is waited for, and two messages', {
    start: 'connecting',
    hook: true,
    messages: 2,
    pushes: 1,
    closers: [GOING_AWAY, KICKED],
    peer: { closes: true },
  }),
  scenario('a hook that nobody waits for, and two who close', {
    hook: true,
    messages: 1,
    closers: [GOING_AWAY, GOODBYE],
    peer: { closes: true, ends: true },
  }),
  scenario('a hook that is waited for, and every way in which a peer leaves', {
    start: 'connecting',
    hook: true,
    messages: 1,
    pushes: 1,
    closers: [GOING_AWAY],
    peer: { closes: true, breaks: true, ends: true },
  }),
  scenario('a slow consumer, and every way in which it leaves', {
    pushes: 2,
    messages: 1,
    limit: 1,
    overflow: 'close',
    closers: [GOING_AWAY],
    terminate: true,
    peer: { closes: true, breaks: true, ends: true },
  }),
  scenario('senders that wait for room, a handler, and a ping', {
    pushes: 3,
    pings: 1,
    messages: 1,
    limit: 2,
    overflow: 'wait',
    closers: [GOING_AWAY],
    peer: { closes: true },
  }),
  scenario('messages that are dropped or conflated, and a ping', {
    pushes: 3,
    pings: 1,
    limit: 2,
    overflow: 'drop-oldest',
    conflates: true,
    closers: [GOODBYE],
    terminate: true,
    peer: { closes: true, ends: true },
  }),
];
