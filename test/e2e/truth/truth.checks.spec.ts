import { expect, test } from '@jest/globals';
import type { CloseOutcome, LifecycleEvent, UnacknowledgedMessage } from '../../../src/index.js';
import type { ClosingCall, ConnectionRecord, Sent } from './connection.record.js';
import { findViolations } from './truth.checks.js';

const OUTCOME: CloseOutcome = {
  connectionId: 'a-1',
  initiator: 'server',
  handshake: 'clean',
  code: 4000,
  reason: 'bye',
  requests: [
    { code: 4000, reason: 'bye', at: 2, superseded: false },
    { code: 1000, reason: '', at: 3, superseded: true },
  ],
  acknowledged: true,
  written: 2,
  dropped: 0,
  lost: 0,
  refusedReplies: 0,
  durationMs: 1,
};

const FIRST: Sent = {
  n: 1,
  via: 'send',
  size: 'small',
  length: 7,
  binary: false,
  promised: true,
  acknowledge: true,
  outcomes: [{ status: 'acknowledged' }],
  accepted: true,
};
const SECOND: Sent = { ...FIRST, n: 2, acknowledge: false, outcomes: [{ status: 'written' }] };
const REFUSED: Sent = {
  ...FIRST,
  n: 3,
  outcomes: [{ status: 'refused', cause: 'closing' }],
  accepted: false,
};

const CALL: ClosingCall = {
  kind: 'close',
  code: 4000,
  precedence: undefined,
  early: true,
  listed: true,
  known: true,
  outcomes: [OUTCOME],
};

const AT = { connectionId: 'a-1', at: 1 };
const EVENTS: LifecycleEvent[] = [
  { type: 'opened', ...AT },
  { type: 'ready', ...AT },
  { type: 'closing', ...AT },
  { type: 'closed', ...AT, outcome: OUTCOME },
];

const TRUE_RECORD: ConnectionRecord = {
  plan: {
    path: '/patient',
    hook: { kind: 'sync' },
    leaving: 'sync',
    parties: [],
    ending: 'close',
    peer: { kind: 'raw', pongs: 'each', answer: 'echo', discards: true, pipelined: 0, script: [] },
  },
  sent: [FIRST, SECOND, REFUSED],
  closings: [CALL, { ...CALL, code: 1000, early: false }],
  questions: [{ upTo: 2, answer: true }],
  events: EVENTS,
  faults: [],
  outcome: OUTCOME,
  unnumbered: 0,
  disconnects: 1,
  received: [1, 2].map((n) => ({ n, length: 7, binary: false, intact: true })),
  end: { code: 4000, reason: 'bye' },
  peerHarmed: false,
  peerClosed: false,
  wire: { closeFrames: 1, framesAfterClose: 0, readAll: true },
};

const [ONE, TWO] = TRUE_RECORD.received as [
  ConnectionRecord['received'][number],
  ConnectionRecord['received'][number],
];

/** The same record with another outcome, of which everybody was told. */
function ending(change: Partial<CloseOutcome>): Partial<ConnectionRecord> {
  const outcome = { ...OUTCOME, ...change };
  return {
    outcome,
    closings: TRUE_RECORD.closings.map((call) => ({ ...call, outcomes: [outcome] })),
    events: [...EVENTS.slice(0, 3), { type: 'closed', ...AT, outcome }],
  };
}

/** `handleConnection` rejects, and somebody closes with the code of that: either may be the first. */
function rejectedBeside({
  decided,
  precedence,
}: {
  decided: number;
  precedence: number;
}): Partial<ConnectionRecord> {
  const requests = [2, 3].map((at, index) => {
    return { code: 1011, reason: '', at, superseded: index !== decided };
  });
  const record = ending({ code: 1011, reason: '', requests });
  const [call] = record.closings!;
  return {
    ...record,
    closings: [{ ...call!, code: 1011, precedence }],
    end: { code: 1011, reason: '' },
  };
}

function messageOf(n: number, sent: 'no' | 'maybe' = 'maybe'): UnacknowledgedMessage[] {
  return [{ data: `{"n":${n}}`, binary: false, sent }];
}

const BACK = (n: number, sent: 'no' | 'maybe') =>
  ({ type: 'unacknowledged', ...AT, messages: messageOf(n, sent) }) satisfies LifecycleEvent;

const UNTRUE: Record<string, Partial<ConnectionRecord>> = {
  'message 1 arrived twice': { received: [ONE, ONE, TWO] },
  'message 1 arrived after 2': { received: [TWO, ONE] },
  'message 9 was never sent': { received: [ONE, TWO, { ...ONE, n: 9 }] },
  'message 2 (send) arrived changed': { received: [ONE, { ...TWO, length: 8 }] },
  'message 1 (send) arrived changed': { received: [{ ...ONE, intact: false }, TWO] },
  'message 1 (send) was told 0 outcomes': { sent: [{ ...FIRST, outcomes: [] }, SECOND] },
  'message 2 (send) was told 2 outcomes': {
    sent: [FIRST, { ...SECOND, outcomes: [{ status: 'written' }, { status: 'written' }] }],
  },
  'message 3 (send) was refused, and arrived': { received: [ONE, TWO, { ...ONE, n: 3 }] },
  'message 2 (send) was lost terminated no, and arrived': {
    sent: [FIRST, { ...SECOND, outcomes: [{ status: 'lost', cause: 'terminated', sent: 'no' }] }],
  },
  'message 1 (send) was acknowledged, but its user never had it': { received: [TWO] },
  'acknowledged() was true after 2, but the user never had message 2': { received: [ONE] },
  'all was acknowledged, but the user never had message 2': { received: [ONE], questions: [] },
  'message 2 was acknowledged, which nobody asked for': {
    sent: [FIRST, { ...SECOND, outcomes: [{ status: 'acknowledged' }] }],
  },
  '1 written, 0 dropped, 0 lost of 2 to 2 accepted': ending({ written: 1 }),
  '0 dropped, but more senders were told so': {
    sent: [FIRST, { ...SECOND, outcomes: [{ status: 'dropped', cause: 'overflow' }] }],
  },
  'message 2 was dropped overflow, which nobody asked for': {
    sent: [FIRST, { ...SECOND, outcomes: [{ status: 'dropped', cause: 'overflow' }] }],
  },
  'messages were handed back twice': { events: [...EVENTS, BACK(2, 'maybe'), BACK(2, 'maybe')] },
  'message 1 (send) was acknowledged, and is handed back': {
    events: [...EVENTS, BACK(1, 'maybe')],
  },
  'message 3 (send) was refused, and is handed back': { events: [...EVENTS, BACK(3, 'maybe')] },
  'message 2 is handed back as unsent, and arrived': { events: [...EVENTS, BACK(2, 'no')] },
  'message 1 is handed back after 2': {
    events: [...EVENTS, { ...BACK(2, 'maybe'), messages: [...messageOf(2), ...messageOf(1)] }],
  },
  'message 2 (send) is lost, and not handed back': {
    received: [ONE],
    sent: [
      FIRST,
      {
        ...SECOND,
        acknowledge: true,
        outcomes: [{ status: 'lost', cause: 'network', sent: 'maybe' }],
      },
    ],
  },
  '1 written, but more senders were told so': ending({ written: 1, lost: 1 }),
  'all acknowledged, and something lost': ending({ lost: 1 }),
  'a negative number among': ending({ durationMs: -1 }),
  'a close was told another outcome than the rest': {
    closings: [{ ...CALL, outcomes: [{ ...OUTCOME }] }],
  },
  'nobody asked for 1000': { closings: [CALL] },
  'closes asked for: 4000,3000; listed: 4000,1000': {
    closings: [CALL, { ...CALL, code: 3000 }],
  },
  'several requests decided': ending({
    requests: OUTCOME.requests.map((request) => ({ ...request, superseded: false })),
  }),
  'no request decided': ending({
    requests: OUTCOME.requests.map((request) => ({ ...request, superseded: true })),
  }),
  '4000 decided, but the outcome has 4001': ending({ code: 4001 }),
  '4000 decided, though 1000 was to': {
    closings: [CALL, { ...CALL, code: 1000, precedence: 99 }],
  },
  '1011 decided, though 1011 was to': rejectedBeside({ decided: 1, precedence: 40 }),
  '2 close frames': { wire: { closeFrames: 2, framesAfterClose: 0, readAll: true } },
  '1 frames after the close frame': {
    wire: { closeFrames: 1, framesAfterClose: 1, readAll: true },
  },
  'the client read 4001 "bye", the outcome has 4000': { end: { code: 4001, reason: 'bye' } },
  'clean, but the client was sent no close frame': {
    wire: { closeFrames: 0, framesAfterClose: 0, readAll: true },
  },
  'the client closed, read on, and was not answered': {
    ...ending({ handshake: 'lost', initiator: 'peer', acknowledged: false }),
    wire: { closeFrames: 0, framesAfterClose: 0, readAll: true },
    peerClosed: true,
  },
  'the client was sent no close frame, but the outcome has 4000': {
    ...ending({ handshake: 'lost' }),
    wire: { closeFrames: 0, framesAfterClose: 0, readAll: true },
  },
  'clean, but the client had 1006 "", not 4000': {
    end: { code: 1006, reason: '' },
    wire: undefined,
  },
  'the peer is said to have closed, and did not': ending({ initiator: 'peer' }),
  'a clean close by the server that does not know what was read': ending({ acknowledged: false }),
  'a peer that kept to the protocol ended terminated': ending({ handshake: 'terminated' }),
  'a peer that only answered ended crossed': ending({ handshake: 'crossed' }),
  'opened was told 0 times': { events: EVENTS.slice(1) },
  'ready was told 2 times': { events: [...EVENTS, { type: 'ready', ...AT }] },
  'closing was told 2 times': { events: [...EVENTS, { type: 'closing', ...AT }] },
  'closed was told 0 times': { events: EVENTS.slice(0, 3) },
  'closed was told with another outcome': {
    events: [...EVENTS.slice(0, 3), { type: 'closed', ...AT, outcome: { ...OUTCOME } }],
  },
  'handleDisconnect ran 2 times': { disconnects: 2 },
  'illegal-event: no row': {
    events: [...EVENTS, { type: 'race', ...AT, kind: 'illegal-event', error: 'no row' }],
  },
  'a fault of the runner': { faults: ['a fault of the runner'] },
};

test('a record of which both sides tell the same is not objected to', () => {
  expect(findViolations(TRUE_RECORD)).toEqual([]);
});

test.each([
  { decided: 0, precedence: 40 },
  { decided: 0, precedence: 48 },
  { decided: 1, precedence: 48 },
  { decided: 0, precedence: 30 },
  { decided: 1, precedence: 30 },
])('of two requests of one code, $decided may decide where one is of $precedence', (case_) => {
  expect(findViolations({ ...TRUE_RECORD, ...rejectedBeside(case_) })).toEqual([]);
});

test.each(Object.entries(UNTRUE))('objects to a record in which: %s', (violation, change) => {
  const violations = findViolations({ ...TRUE_RECORD, ...change });
  expect(violations.filter((text) => text.startsWith(violation))).not.toEqual([]);
});
