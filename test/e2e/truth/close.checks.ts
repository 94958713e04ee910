import type { CloseOutcome, RaceKind } from '../../../src/index.js';
import type { Check, ClosingCall, ConnectionRecord, PeerEnd } from './connection.record.js';

type Request = CloseOutcome['requests'][number];

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

interface Weighed {
  readonly code: number;
  readonly weight: number;
  readonly early: boolean;
}

/** Each request with the call that made it, as both are in their order. */
function weigh(requests: readonly Request[], calls: readonly ClosingCall[]): Weighed[] {
  let at = 0;
  return requests.map(({ code }) => {
    const call = code === calls[at]?.code ? calls[at++] : undefined;
    return { code, weight: call?.precedence ?? severityOf(code), early: call?.early ?? false };
  });
}

/** Of a call and of what nobody called for, with the same code, either may have come first. */
function weighings(requests: readonly Request[], calls: readonly ClosingCall[]): Weighed[][] {
  const fromTheEnd = weigh(requests.toReversed(), calls.toReversed()).toReversed();
  return [weigh(requests, calls), fromTheEnd];
}

function rivalOf(decided: number, weighed: readonly Weighed[]): Weighed | undefined {
  const { weight } = weighed[decided]!;
  return weighed.find((rival, index) =>
    index < decided ? rival.weight >= weight : rival.early && rival.weight > weight,
  );
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
  const index = requests.indexOf(decided);
  const rivals = weighings(requests, calls).map((weighed) => rivalOf(index, weighed));
  const [rival] = rivals;
  if (rival && rivals.every(Boolean)) say(`${code} decided, though ${rival.code} was to`);
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
  const { handshake, initiator, acknowledged, dropped } = outcome;
  const excused = destroyed(record) || missesAnswer(record);
  if (handshake === 'clean' && !excused && !codesMatch(outcome, end)) {
    say(`clean, but the client had ${end.code} "${end.reason}", not ${outcome.code}`);
  }
  if (initiator === 'peer' && !peerClosed) say('the peer is said to have closed, and did not');
  if (handshake === 'clean' && initiator === 'server' && !acknowledged && dropped === 0) {
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

/** What became of the connection. */
export const CLOSE_CHECKS: readonly Check[] = [
  oneOutcomeForAllWhoClose,
  requestsAreListed,
  severestRequestDecides,
  closeFramesAreAsTold,
  bothSidesAgree,
  goodPeersEndWell,
];
