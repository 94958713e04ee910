import type { SendOutcome } from '../../../src/index.js';
import type { Check, Sent } from './connection.record.js';
import { readMessage, type Received } from './messages.js';
import { isLimited } from './schedule.types.js';

function outcomeText(outcome: SendOutcome): string {
  return [outcome.status, 'cause' in outcome && outcome.cause, 'sent' in outcome && outcome.sent]
    .filter(Boolean)
    .join(' ');
}

function name(sent: Sent): string {
  return `message ${sent.n} (${sent.via})`;
}

function numbersOf(received: readonly Pick<Received, 'n'>[]): Set<number | undefined> {
  return new Set(received.map(({ n }) => n));
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
      const given = outcome.status === 'lost' && outcome.sent === 'no';
      if (given || outcome.status === 'dropped') {
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
    // Where nobody asked what became of it, it may be one of those that were.
    const dropped = message.outcomes.some(({ status }) => status === 'dropped');
    const untold = message.outcomes.length === 0 && (outcome?.dropped ?? 0) > 0;
    for (const { upTo, answer } of questions) {
      if (answer && message.n <= upTo && !dropped && !untold) {
        say(`acknowledged() was true after ${upTo}, but the user never had ${name(message)}`);
      }
    }
    if (outcome?.acknowledged) say(`all was acknowledged, but the user never had ${name(message)}`);
  }
};

const outcomesOfTheirKind: Check = ({ sent, plan }, say) => {
  for (const { outcomes, acknowledge, n } of sent) {
    for (const outcome of outcomes) {
      const right =
        outcome.status === (acknowledge ? 'acknowledged' : 'written') ||
        outcome.status === 'refused' ||
        outcome.status === 'lost' ||
        (outcome.status === 'dropped' && plan.path === '/drop-oldest');
      if (!right) say(`message ${n} was ${outcomeText(outcome)}, which nobody asked for`);
    }
  }
};

/** accepted = written + dropped + lost. */
const numbersAddUp: Check = ({ sent, unnumbered, outcome }, say) => {
  if (!outcome) return;
  const least = sent.filter(({ accepted }) => accepted).length;
  const most = least + unnumbered + sent.filter(({ accepted }) => accepted === undefined).length;
  const { written, dropped, lost } = outcome;
  const total = written + dropped + lost;
  if (total < least || total > most) {
    say(`${written} written, ${dropped} dropped, ${lost} lost of ${least} to ${most} accepted`);
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
  if (had('dropped', false) + had('dropped', true) > dropped) {
    say(`${dropped} dropped, but more senders were told so`);
  }
  if (had('lost', false) > outcome.lost) say(`${outcome.lost} lost, but more senders were told so`);
  if (outcome.acknowledged && outcome.lost > 0) say('all acknowledged, and something lost');
  const undone = [outcome.written, outcome.lost, outcome.refusedReplies, outcome.durationMs];
  if (undone.some((number) => !(number >= 0))) say(`a negative number among ${undone.join(', ')}`);
};

/** What was to be acknowledged and is not known to have been read is handed back, in order. */
const handedBackIfUnread: Check = ({ sent, received, events, plan }, say) => {
  const lists = events.filter((event) => event.type === 'unacknowledged');
  if (lists.length > 1) say('messages were handed back twice');
  const back = (lists[0]?.messages ?? []).map(({ data, binary, sent: left }) => ({
    ...readMessage(data as string | Buffer, binary),
    left,
  }));
  const arrived = numbersOf(received);
  const byNumber = new Map(sent.map((message) => [message.n, message]));
  let last = 0;
  for (const { n, left } of back) {
    if (n === undefined) continue;
    if (n <= last) say(`message ${n} is handed back after ${last}`);
    last = n;
    const message = byNumber.get(n);
    if (message?.outcomes.some(({ status }) => status === 'acknowledged')) {
      say(`${name(message)} was acknowledged, and is handed back`);
    }
    if (message?.accepted === false) say(`${name(message)} was refused, and is handed back`);
    if (left === 'no' && arrived.has(n)) say(`message ${n} is handed back as unsent, and arrived`);
  }
  const numbers = numbersOf(back);
  for (const message of sent) {
    const kept = message.acknowledge || isLimited(plan.path);
    // Who is promised no outcome is not told of a drop.
    const untold = plan.path === '/drop-oldest' && !message.promised;
    const gone = untold || message.outcomes.some(({ status }) => status === 'dropped');
    if (!kept || !message.accepted || gone || arrived.has(message.n)) continue;
    if (!numbers.has(message.n)) say(`${name(message)} is lost, and not handed back`);
  }
};

/** What became of each message. */
export const MESSAGE_CHECKS: readonly Check[] = [
  arrivedOnceAndInOrder,
  eachSendToldOnce,
  nothingGivenUpArrives,
  nothingAcknowledgedIsUnread,
  outcomesOfTheirKind,
  numbersAddUp,
  handedBackIfUnread,
];
