import { TABLE } from '../../../src/core/connection.table.js';
import { PHASE_FACTS } from '../../../src/core/connection.phases.js';
import type { CloseRequest } from '../../../src/core/close-request.js';
import type { Frame } from '../../support/fakes/frames.js';
import type { Sent, World } from './schedule.world.js';
import { BUDGETS } from './schedule.types.js';

/** The first that waits for room may have any size. */
const LARGEST = 500;

/** The phases that follow each other in the table. */
const STEPS = new Set(
  TABLE.flatMap(({ from, to }) => (to ? from.map((phase) => `${phase} → ${to}`) : [])),
);

const isDropped = ({ outcomes }: Sent): boolean => outcomes[0]?.status === 'dropped';

type Check = (world: World) => Iterable<string>;

const messagesOf = (frames: readonly Frame[]): string[] =>
  frames.flatMap((frame) => (frame.type === 'message' ? [frame.data.toString()] : []));

function* table({ phases, connected, faults }: World): Iterable<string> {
  yield* faults;
  for (const [index, to] of phases.entries()) {
    const from = phases[index - 1];
    if (from && !STEPS.has(`${from} → ${to}`)) yield `no row leads from ${from} to ${to}`;
  }
  for (const { kind, detail } of connected.told.races) {
    if (kind === 'illegal-event') yield `illegal: ${String(detail.error)}`;
  }
  const { log } = connected.told;
  if (log[0] !== 'opened') yield 'not told of first';
  for (const line of ['closing', 'closed']) {
    if (log.filter((told) => told === line).length !== 1) yield `"${line}" was not told once`;
  }
  if (log.indexOf('closing') > log.indexOf('closed')) yield '"closed" was told before "closing"';
}

function* order(world: World): Iterable<string> {
  const { frames } = world.connected.peer;
  const read = messagesOf(frames);
  const accepted = world.accepted.filter((sent) => !isDropped(sent)).map(({ text }) => text);
  for (const [index, text] of read.entries()) {
    if (text !== accepted[index]) yield `G2 read ${text} where ${accepted[index]} was due`;
  }
  const close = frames.findIndex(({ type }) => type === 'close');
  if (close === -1) return;
  if (close !== frames.length - 1) yield 'G2 something follows the close frame';
  if (read.length !== accepted.length) {
    yield `G2 ${accepted.length - read.length} accepted messages do not go before the close frame`;
  }
}

function* sends(world: World): Iterable<string> {
  const { sent, handed, asked, accepted, connected } = world;
  const { peer, port, told } = connected;
  const got = new Set(peer.messages.map(({ data }) => data.toString()));
  const taken = new Set(messagesOf(port.taken));
  const given = new Set(handed);
  for (const message of sent) {
    const { text, accepted: isAccepted, taken: isTaken, inGrace, waited, outcomes } = message;
    const overflown = outcomes[0]?.status === 'refused' && outcomes[0].cause === 'overflow';
    if (inGrace && !isTaken && !overflown)
      yield `G2 ${text} was refused in the macrotask of the close`;
    if (!isAccepted && given.has(text)) yield `G3 ${text} was refused, and handed over`;
    if (isDropped(message) && given.has(text)) yield `G3 ${text} was dropped, and handed over`;
    if (!waited) continue;
    const [outcome] = outcomes;
    if (outcomes.length !== 1 || !outcome) {
      yield `G3 ${text} has ${outcomes.length} outcomes`;
      continue;
    }
    if ((outcome.status === 'refused') === isAccepted) yield `G3 ${text}: ${outcome.status}`;
    if (outcome.status === 'acknowledged' && !got.has(text)) yield `G3 ${text} was not read`;
    if (outcome.status === 'written' && !taken.has(text)) yield `G3 ${text} was not written`;
    if (outcome.status === 'lost' && (outcome.sent === 'no') === given.has(text)) {
      yield `G3 ${text} is lost (${outcome.sent})`;
    }
  }
  for (const { text, outcomes } of world.owed) {
    if (outcomes[0]?.status !== 'written') yield `G3 ${text} was not written to a good peer`;
  }
  for (const { accepted: before, answers } of asked) {
    if (answers.length !== 1) yield `G3 a question has ${answers.length} answers`;
    const unread = ({ text }: Sent): boolean => !got.has(text);
    if (answers[0] && accepted.slice(0, before).some((one) => unread(one) && !isDropped(one))) {
      yield 'G3 not all was read that is said to be';
    }
  }
  const totals = told.totals!;
  const outcome = told.outcome!;
  if (totals.accepted !== totals.written + totals.dropped + totals.lost) {
    yield 'G3 accepted ≠ written + dropped + lost';
  }
  const dropped = sent.filter(isDropped).length;
  if (totals.dropped !== dropped) yield `G3 ${totals.dropped} of ${dropped} count as dropped`;
  if (totals.accepted !== accepted.length) yield `G3 ${totals.accepted} count as accepted`;
  if (totals.written > taken.size) yield `G3 ${totals.written} of ${taken.size} count as written`;
  if (totals.acknowledged > got.size) yield `G3 ${totals.acknowledged} count as acknowledged`;
  if (outcome.acknowledged && accepted.some(({ text }) => !got.has(text))) {
    yield 'G3 the outcome says that all was read';
  }
  const { written, lost } = outcome;
  if (written !== totals.written || lost !== totals.lost) yield 'G3 the outcome has other totals';
}

/** What was asked for and is not known to have been read is handed back, and nothing else. */
function* handedBack({
  connected,
  accepted,
  handed,
  handedBack: given,
  keeps,
}: World): Iterable<string> {
  const { told, peer } = connected;
  const got = new Set(peer.messages.map(({ data }) => data.toString()));
  const back = told.handedBack.map(({ data }) => String(data));
  if (given && given !== told.handedBack) yield 'G3 the hook gets other messages than the event';
  const byText = new Map(accepted.map((message) => [message.text, message]));
  let last = -1;
  for (const { data, sent } of told.handedBack) {
    const text = String(data);
    const message = byText.get(text);
    if (!message || isDropped(message)) {
      yield `G3 ${text} was not accepted, and is handed back`;
      continue;
    }
    const at = accepted.indexOf(message);
    if (at <= last) yield `G2 ${text} is handed back out of order`;
    last = at;
    const [outcome] = message.outcomes;
    if (outcome?.status === 'acknowledged') yield `G3 ${text} was acknowledged, and is handed back`;
    if ((sent === 'no') === handed.includes(text)) yield `G3 ${text} is handed back as ${sent}`;
  }
  for (const message of accepted) {
    const asked = keeps || message.acknowledge;
    if (!asked || isDropped(message) || got.has(message.text)) continue;
    if (!back.includes(message.text)) yield `G3 ${message.text} is lost, and not handed back`;
  }
}

function* closes(world: World): Iterable<string> {
  const { connected, closeOutcomes, requested, requestsAtClose, context, peerClosedAt } = world;
  const { told, peer } = connected;
  const outcome = told.outcome!;
  if (told.outcomes.length !== 1) yield `G4 ${told.outcomes.length} outcomes`;
  for (const other of closeOutcomes) if (other !== outcome) yield 'G4 another outcome';
  const listed = outcome.requests.map(({ reason }) => reason);
  const ours = listed.filter((reason) => reason.startsWith('close ') || reason === 'hook');
  const made = requested.filter((reason) => listed.includes(reason));
  // User code that is called in the middle of a request makes its own before that one.
  if (world.reactions > 0) for (const list of [ours, made]) list.sort();
  if (ours.join() !== made.join()) yield `G4 listed ${ours.join()}, made ${made.join()}`;
  const { closeFrame } = peer;
  if (closeFrame && outcome.initiator === 'server') {
    const early = context.requests.slice(0, requestsAtClose);
    const [decided] = early.toSorted((a, b) => b.precedence - a.precedence) as [CloseRequest];
    if (closeFrame.code !== (decided.code ?? 1005) || closeFrame.reason !== decided.reason) {
      yield `G4 ${closeFrame.code} ${closeFrame.reason} was written, not ${decided.reason}`;
    }
  }
  if (closeFrame && outcome.initiator !== 'server' && closeFrame.reason !== 'peer') {
    if (closeFrame.code !== 1005) yield 'G4 the peer is answered with another code';
  }
  const exchanged = outcome.handshake === 'clean' || outcome.handshake === 'crossed';
  if (exchanged && peerClosedAt === undefined) yield `G4 ${outcome.handshake} without the peer`;
  if (exchanged && requestsAtClose === undefined) yield `G4 ${outcome.handshake} without us`;
  if (outcome.handshake === 'clean' && outcome.initiator === 'server') {
    const due = world.accepted.length - outcome.dropped;
    if (peer.messages.length !== due) yield 'G4 clean, and not all was read';
  }
}

function* bounds({ connected }: World): Iterable<string> {
  const { durationMs } = connected.told.outcome!;
  if (durationMs > BUDGETS.cap + BUDGETS.handshake) yield `G5 it took ${durationMs} ms`;
}

function* handlers({ started, peerSent, owner, subjects }: World): Iterable<string> {
  for (const [index, { text, phase, hooksPending }] of started.entries()) {
    if (text !== peerSent[index]) yield `G7 ${text} started where ${peerSent[index]} was due`;
    if (!PHASE_FACTS[phase].dispatches) yield `G8 ${text} started in ${phase}`;
    if (hooksPending > 0) yield `G7 ${text} started before handleConnection had settled`;
  }
  if (!owner.signal.aborted) yield 'G8 the signal is not aborted';
  if (subjects.some(({ observed }) => observed)) yield 'G8 an Observable is still subscribed to';
  if (owner.inFlight !== 0) yield `G8 ${owner.inFlight} handlers count as in flight`;
}

function* remains(world: World): Iterable<string> {
  const { clock, connections, io } = world.connected;
  if (clock.pendingTimers > 0) yield `G14 ${clock.pendingTimers} timers`;
  if (clock.pendingMacrotask > 0) yield `G14 ${clock.pendingMacrotask} callbacks`;
  if (connections.size > 0) yield 'G14 it is still registered';
  if (io.pending() > 0) yield `G14 ${io.pending()} tasks`;
  if (world.owner.queuedBytes > 0) yield 'G14 messages still wait';
  const { used } = world.connected.runtime.buffers;
  if (used !== 0) yield `G14 ${used} bytes are still charged`;
  if (world.whenReadyCalls.length !== world.whenReadyCount) yield 'G14 somebody still waits';
}

const CHECKS: readonly Check[] = [
  table,
  order,
  sends,
  handedBack,
  closes,
  bounds,
  handlers,
  remains,
];

/** What of the guarantees was broken, as text; to be asked once the connection has ended. */
export function violations(world: World): string[] {
  if (!world.connected.told.outcome) return ['G5 it has not ended'];
  return CHECKS.flatMap((check) => [...check(world)]);
}

/** What must hold after each command, too. */
export function momentaryViolations(world: World): string[] {
  const { phase, owner, connected, limit, mostInFlight } = world;
  const broken: string[] = [];
  if (!PHASE_FACTS[phase].accepts && !owner.signal.aborted) broken.push(`G8 running in ${phase}`);
  if (owner.inFlight > mostInFlight) broken.push(`G11 ${owner.inFlight} handlers in flight`);
  if (owner.queuedBytes > limit + LARGEST) broken.push(`G11 ${owner.queuedBytes} bytes wait`);
  if (!owner.live && connected.port.paused) broken.push(`G7 paused in ${phase}`);
  return broken;
}
