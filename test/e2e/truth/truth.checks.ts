import {
  RACE_LEVELS,
  type CloseOutcome,
  type RaceKind,
  type SendOutcome,
} from '../../../src/index.js';
import type { ConnectionRecord, PeerEnd, Sent } from './connection.record.js';
import type { Received } from './messages.js';

type Check = (record: ConnectionRecord, say: (text: string) => void) => void;

/** Everything in what the server was told of a connection that its client contradicts. */
export function findViolations(record: ConnectionRecord): string[] {
  const violations = [...record.faults];
  for (const check of CHECKS) check(record, (text) => violations.push(text));
  return violations;
}

function outcomeText(outcome: SendOutcome): string {
  return [outcome.status, 'cause' in outcome && outcome.cause, 'sent' in outcome && outcome.sent]
    .filter(Boolean)
    .join(' ');
}

function name(sent: Sent): string {
  return `message ${sent.n} (${sent.via})`;
}

const arrivedOnceAndInOrder: Check = ({ received, sent }, say) => {
  const byNumber = new Map(sent.map((message) => [message.n, message]));
  let last = 0;
  for (const { n, length, binary, intact } of received) {
    if (n === undefined) continue;
    if (n === last) say(`message ${n} arrived twice`);
    else if (n < last) say(`message ${n} arrived after ${last}`);
    last = n;
    const message = byNumber.get(n);
    if (!message) say(`message ${n} was never sent`);
    else if (length !== message.length || binary !== message.binary || !intact) {
      say(`${name(message)} arrived changed: ${length} bytes, binary ${binary}`);
    }
  }
};

const eachSendToldOnce: Check = ({ sent }, say) => {
  for (const message of sent) {
    const { length } = message.outcomes;
    if (message.promised && length !== 1) say(`${name(message)} was told ${length} outcomes`);
  }
};

const nothingGivenUpArrives: Check = ({ sent, received }, say) => {
  const arrived = numbersOf(received);
  for (const message of sent) {
    if (!arrived.has(message.n)) continue;
    if (message.accepted === false) say(`${name(message)} was refused, and arrived`);
    for (const outcome of message.outcomes) {
      if (outcome.status === 'lost' && outcome.sent === 'no') {
        say(`${name(message)} was ${outcomeText(outcome)}, and arrived`);
      }
    }
  }
};

const nothingAcknowledgedIsUnread: Check = (record, say) => {
  const { sent, received, questions, outcome } = record;
  const arrived = numbersOf(received);
  const unread = sent.filter(({ n, accepted }) => accepted && !arrived.has(n));
  for (const message of unread) {
    if (message.outcomes.some(({ status }) => status === 'acknowledged')) {
      say(`${name(message)} was acknowledged, but its user never had it`);
    }
    for (const { upTo, answer } of questions) {
      if (answer && message.n <= upTo) {
        say(`acknowledged() was true after ${upTo}, but the user never had ${name(message)}`);
      }
    }
    if (outcome?.acknowledged) say(`all was acknowledged, but the user never had ${name(message)}`);
  }
};

const outcomesOfTheirKind: Check = ({ sent }, say) => {
  for (const { outcomes, acknowledge, n } of sent) {
    for (const outcome of outcomes) {
      const right =
        outcome.status === (acknowledge ? 'acknowledged' : 'written') ||
        outcome.status === 'refused' ||
        outcome.status === 'lost';
      if (!right) say(`message ${n} was ${outcomeText(outcome)}, which nobody asked for`);
    }
  }
};

/** accepted = written + lost. */
const numbersAddUp: Check = ({ sent, unnumbered, outcome }, say) => {
  if (!outcome) return;
  const least = sent.filter(({ accepted }) => accepted).length;
  const most = least + unnumbered + sent.filter(({ accepted }) => accepted === undefined).length;
  const total = outcome.written + outcome.lost;
  if (total < least || total > most) {
    say(`${outcome.written} written and ${outcome.lost} lost, of ${least} to ${most} accepted`);
  }
  const had = (status: SendOutcome['status'], acknowledge: boolean): number =>
    sent.filter(
      (message) =>
        message.acknowledge === acknowledge &&
        message.outcomes.some((settled) => settled.status === status),
    ).length;
  if (had('written', false) + had('acknowledged', true) > outcome.written) {
    say(`${outcome.written} written, but more senders were told so`);
  }
  if (had('lost', false) > outcome.lost) say(`${outcome.lost} lost, but more senders were told so`);
  if (outcome.acknowledged && outcome.lost > 0) say('all acknowledged, and something lost');
  const undone = [outcome.written, outcome.lost, outcome.refusedReplies, outcome.durationMs];
  if (undone.some((number) => !(number >= 0))) say(`a negative number among ${undone.join(', ')}`);
};

const oneOutcomeForAllWhoClose: Check = ({ closings, outcome }, say) => {
  if (!outcome) return;
  for (const { kind, known, outcomes } of closings) {
    for (const settled of outcomes) {
      if (known && settled !== outcome) say(`a ${kind} was told another outcome than the rest`);
    }
  }
};

/** A broken protocol, a `handleConnection` that rejects or takes too long: nobody calls. */
const UNASKED = new Set([1002, 1008, 1011, 1013, 4403]);

const requestsAreListed: Check = ({ closings, outcome }, say) => {
  if (!outcome) return;
  const asked = closings.filter(({ listed }) => listed).map(({ code }) => code);
  const listed = outcome.requests.map(({ code }) => code);
  let at = 0;
  for (const code of listed) {
    if (code === asked[at]) at++;
    else if (!UNASKED.has(code)) say(`nobody asked for ${code}`);
  }
  if (at < asked.length) say(`closes asked for: ${asked.join()}; listed: ${listed.join()}`);
};

/** 1000 < 1001, 1012, 1013 < 3000–4999 < 1002–1011; no code at all is the least. */
function severityOf(code: number): number {
  if (code === 1005) return 0;
  if (code === 1000) return 10;
  if (code === 1001 || code >= 3000) return code >= 3000 ? 30 : 20;
  return code >= 1012 ? 20 : 40;
}

/** The most severe made before the close frame decides, and of equals the first. */
const severestRequestDecides: Check = ({ outcome, closings }, say) => {
  if (!outcome) return;
  const { requests, initiator, code, reason } = outcome;
  const deciding = requests.filter(({ superseded }) => !superseded);
  if (deciding.length > 1) say('several requests decided');
  if (initiator !== 'server' || !exchanged(outcome)) return;
  const [decided] = deciding;
  if (!decided) {
    say('no request decided');
    return;
  }
  if (decided.code !== code || decided.reason !== reason) {
    say(`${decided.code} decided, but the outcome has ${code}`);
  }
  const calls = closings.filter(({ listed }) => listed);
  let at = 0;
  const weighed = requests.map((request) => {
    const call = request.code === calls[at]?.code ? calls[at++] : undefined;
    return { weight: call?.precedence ?? severityOf(request.code), early: call?.early ?? false };
  });
  const index = requests.indexOf(decided);
  const { weight } = weighed[index]!;
  for (const [other, { weight: rival, early }] of weighed.entries()) {
    const outweighs = other < index ? rival >= weight : early && rival > weight;
    if (outweighs) say(`${code} decided, though ${requests[other]!.code} was to`);
  }
};

function codesMatch(outcome: CloseOutcome, end: PeerEnd): boolean {
  return end.code === outcome.code && (end.reason === outcome.reason || end.code === 1005);
}

const TIMEOUTS = new Set<RaceKind>(['flush-timeout', 'handshake-timeout']);

/**
 * Where the server destroys a socket at whose other end something is still being sent, TCP voids
 * what its kernel holds: a close frame that was written may then never be read.
 */
function destroyed({ closings, events }: ConnectionRecord): boolean {
  return (
    closings.some(({ kind }) => kind === 'terminate') ||
    events.some((event) => event.type === 'race' && TIMEOUTS.has(event.kind))
  );
}

/**
 * undici 7.30 gives its user 1006 where the socket ends before it has decompressed what stands
 * before the answer to its own close frame.
 */
function missesAnswer({ plan, peerClosed, end }: ConnectionRecord): boolean {
  const inflates = plan.peer.kind === 'whatwg' && plan.path.endsWith('deflate');
  return inflates && peerClosed && end?.code === 1006;
}

function exchanged({ handshake }: CloseOutcome): boolean {
  return handshake === 'clean' || handshake === 'crossed';
}

const closeFramesAreAsTold: Check = (record, say) => {
  const { outcome, end, wire, peerClosed, peerHarmed } = record;
  if (!wire || !outcome || !end) return;
  const { closeFrames, framesAfterClose, readAll } = wire;
  if (closeFrames > 1) say(`${closeFrames} close frames`);
  if (framesAfterClose > 0) say(`${framesAfterClose} frames after the close frame`);
  if (closeFrames === 1 && !codesMatch(outcome, end)) {
    say(`the client read ${end.code} "${end.reason}", the outcome has ${outcome.code}`);
  }
  if (!readAll || closeFrames > 0 || destroyed(record)) return;
  if (exchanged(outcome)) say(`${outcome.handshake}, but the client was sent no close frame`);
  if (peerClosed && !peerHarmed) say('the client closed, read on, and was not answered');
  if (!peerClosed && outcome.code !== 1006) {
    say(`the client was sent no close frame, but the outcome has ${outcome.code}`);
  }
};

const bothSidesAgree: Check = (record, say) => {
  const { outcome, end, peerHarmed, peerClosed } = record;
  if (!outcome || !end || peerHarmed) return;
  const { handshake, initiator, acknowledged } = outcome;
  const excused = destroyed(record) || missesAnswer(record);
  if (handshake === 'clean' && !excused && !codesMatch(outcome, end)) {
    say(`clean, but the client had ${end.code} "${end.reason}", not ${outcome.code}`);
  }
  if (initiator === 'peer' && !peerClosed) say('the peer is said to have closed, and did not');
  if (handshake === 'clean' && initiator === 'server' && !acknowledged) {
    say('a clean close by the server that does not know what was read');
  }
};

/** Only where no budget can run out under load: elsewhere a slow turn may look like a slow peer. */
const goodPeersEndWell: Check = (record, say) => {
  const { plan, outcome, peerClosed } = record;
  if (!outcome || !plan.path.startsWith('/patient') || destroyed(record)) return;
  const { handshake, acknowledged } = outcome;
  if (!exchanged(outcome)) say(`a peer that kept to the protocol ended ${handshake}`);
  else if (!peerClosed && (handshake !== 'clean' || !acknowledged)) {
    say(`a peer that only answered ended ${handshake}, acknowledged ${acknowledged}`);
  }
};

const lifeIsTold: Check = ({ events, outcome, disconnects }, say) => {
  const closed = events.filter((event) => event.type === 'closed');
  const closing = events.filter((event) => event.type === 'closing').length;
  const ready = events.filter((event) => event.type === 'ready').length;
  const opened = events.filter((event) => event.type === 'opened').length;
  if (opened !== 1) say(`opened was told ${opened} times`);
  if (ready > 1) say(`ready was told ${ready} times`);
  if (closing !== 1) say(`closing was told ${closing} times`);
  if (closed.length !== 1) say(`closed was told ${closed.length} times`);
  else if (closed[0]!.outcome !== outcome) say('closed was told with another outcome');
  if (disconnects !== 1) say(`handleDisconnect ran ${disconnects} times`);
  for (const event of events) {
    if (event.type === 'race' && RACE_LEVELS[event.kind] === 'defect') {
      say(`${event.kind}: ${String(event.error ?? event.message ?? '')}`);
    }
  }
};

const CHECKS: readonly Check[] = [
  arrivedOnceAndInOrder,
  eachSendToldOnce,
  nothingGivenUpArrives,
  nothingAcknowledgedIsUnread,
  outcomesOfTheirKind,
  numbersAddUp,
  oneOutcomeForAllWhoClose,
  requestsAreListed,
  severestRequestDecides,
  closeFramesAreAsTold,
  bothSidesAgree,
  goodPeersEndWell,
  lifeIsTold,
];

function numbersOf(received: readonly Received[]): Set<number | undefined> {
  return new Set(received.map(({ n }) => n));
}
