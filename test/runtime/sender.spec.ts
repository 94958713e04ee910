import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CloseOutcome, RefusalCause } from '../../src/core/outcomes.js';
import { BufferBudget } from '../../src/runtime/buffer-budget.js';
import { encodeJson } from '../../src/runtime/json.encoder.js';
import { Outbox } from '../../src/runtime/outbox.js';
import { Sender, type SenderHost } from '../../src/runtime/sender.js';
import type { FakePort } from '../support/fakes/fake.port.js';
import type { FakePeer } from '../support/fakes/fake.peer.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';
import { TaskQueue } from '../support/fakes/task.queue.js';
import { policyOf, type PolicyPart } from '../support/policy.js';
import { microtasks } from './harness.js';

let io: TaskQueue;
let clock: ManualClock;
let peer: FakePeer;
let port: FakePort;
let outbox: Outbox;
let sender: Sender;
let told: string[];
let refusal: RefusalCause | undefined;
let closed: Promise<CloseOutcome>;

function start(send: PolicyPart['send'] = {}, encode = encodeJson): void {
  io = new TaskQueue();
  clock = new ManualClock();
  const pair = createSocketPair({ schedule: io.schedule, kernelBuffer: 100 });
  ({ peer, port } = pair);
  told = [];
  refusal = undefined;
  closed = new Promise(() => {});
  const policy = policyOf({ send });
  outbox = new Outbox(pair.port, policy.send, new BufferBudget(Infinity), {
    onProgress: () => {},
    onFlushed: () => {},
    onDropped: () => sender.tellOverflow(),
    onRefused: (cause) => sender.tellRefusal(cause),
  });
  pair.port.listener = {
    onMessage: () => {},
    onPing: () => {},
    onPong: (payload) => void outbox.onPong(payload),
    onPeerClose: () => {},
    onProtocolFailure: () => {},
    onPeerEnd: () => {},
    onClosed: () => {},
  };
  const host: SenderHost = {
    clock,
    policy,
    encode,
    get refusal() {
      return refusal;
    },
    get closed() {
      return closed;
    },
    tell: (kind) => void told.push(kind),
    onSlowConsumer: () => void told.push('closes'),
  };
  sender = new Sender(host, outbox);
}

beforeEach(() => start());

/** Fills what the reader may have, so that there is room for nothing more. */
function congest(): void {
  peer.pause();
  void sender.send('x'.repeat(98));
  void sender.send('x'.repeat(98));
  void sender.send('x'.repeat(98));
}

describe('a message', () => {
  test('is sent as it is, or as an event', async () => {
    const outcomes = [sender.send('text'), sender.emit('event', 1)];
    expect(sender.post('event', 2)).toBe(true);
    expect(sender.reply({ event: 'reply' })).toBe(true);
    io.run();
    expect(await Promise.all(outcomes)).toEqual([{ status: 'written' }, { status: 'written' }]);
    expect(peer.texts).toEqual([
      'text',
      '{"event":"event","data":1}',
      '{"event":"event","data":2}',
      '{"event":"reply"}',
    ]);
  });

  test('is acknowledged where the policy says so, unless its sender does not want it', async () => {
    start({ acknowledge: true });
    const outcomes = [sender.send('a'), sender.send('b', { acknowledge: false })];
    io.run();
    expect(await Promise.all(outcomes)).toEqual([
      { status: 'acknowledged' },
      { status: 'written' },
    ]);
  });

  test('is refused where nothing is accepted, each cause told in its way', async () => {
    for (const cause of ['connecting', 'closing', 'closed', 'peer-closed'] as const) {
      refusal = cause;
      // oxlint-disable-next-line no-await-in-loop
      expect(await sender.send('late')).toEqual({ status: 'refused', cause });
    }
    expect(sender.submit('late')).toBe(false);
    expect(sender.reply('late')).toBe(false);
    expect(told).toEqual([
      'send-before-open',
      ...Array<string>(4).fill('send-after-close'),
      'reply-after-close',
    ]);
    expect(outbox.refused).toBe(6);
  });

  test('is refused quietly where its sender has given up', async () => {
    const signal = AbortSignal.abort();
    expect(await sender.send('late', { signal })).toEqual({ status: 'refused', cause: 'aborted' });
    expect(told).toEqual([]);
  });

  test('that has no form is refused and told once', async () => {
    expect(await sender.emit('a', 1n)).toEqual({ status: 'refused', cause: 'unserializable' });
    expect(sender.post('a', 1n)).toBe(false);
    expect(await sender.send({} as never)).toEqual({
      status: 'refused',
      cause: 'unserializable',
    });
    expect(told).toEqual(['unserializable', 'unserializable', 'unserializable']);
  });
});

describe('a reply', () => {
  test('without a form becomes an exception', () => {
    expect(sender.reply(1n)).toBe(true);
    io.run();
    expect(peer.texts).toEqual([
      '{"event":"exception","data":{"status":"error","message":"Internal server error"}}',
    ]);
  });

  test('is nothing where not even that has a form', () => {
    start({}, () => {
      throw new Error('nothing has a form');
    });
    expect(sender.reply('a')).toBe(true);
    io.run();
    expect(peer.texts).toEqual([]);
  });

  test.each<[unknown, unknown]>([
    [new Error('an internal detail'), { status: 'error', message: 'Internal server error' }],
    [undefined, { status: 'error', message: 'Internal server error' }],
    [{ getError: () => 'no' }, { status: 'error', message: 'no' }],
    [{ getError: () => ({ code: 7 }) }, { code: 7 }],
  ])('to who waits for %p says what a filter would', (error, data) => {
    sender.replyError(error);
    io.run();
    expect(peer.texts).toEqual([JSON.stringify({ event: 'exception', data })]);
  });
});

describe('where there is no room', () => {
  test('a message is refused and told', async () => {
    start({ highWaterMark: 100, maxBuffered: 100, overflow: 'refuse' });
    congest();
    expect(await sender.send('more')).toEqual({ status: 'refused', cause: 'overflow' });
    expect(told).toEqual(['send-overflow', 'send-overflow']);
  });

  test('the slow consumer is closed, where that is the policy', () => {
    start({ highWaterMark: 100, maxBuffered: 100 });
    congest();
    expect(told).toEqual(['send-overflow', 'closes']);
  });

  test('those that were dropped for a newer one are told', () => {
    start({ highWaterMark: 100, maxBuffered: 200, overflow: 'drop-oldest' });
    congest();
    void sender.send('y'.repeat(98));
    expect(told).toEqual(['send-overflow']);
  });

  test('who can wait does, and who gives up is refused', async () => {
    start({ highWaterMark: 100, maxBuffered: 300, overflow: 'wait' });
    congest();
    expect(sender.post('event')).toBe(false);
    const aborter = new AbortController();
    const waits = sender.send('waits', { signal: aborter.signal });
    aborter.abort();
    expect(await waits).toEqual({ status: 'refused', cause: 'aborted' });
    expect(told).toEqual(['send-overflow']);
  });

  test('messages of a key are conflated, however they are sent', async () => {
    start({ highWaterMark: 100, maxBuffered: 1_000 });
    peer.pause();
    for (let count = 0; count < 3; count++) void sender.send('x'.repeat(98));
    const first = sender.send('first', { conflate: 'key' });
    sender.post('second', undefined, { conflate: 'key' });
    sender.reply('third', 'key');
    expect(await first).toEqual({ status: 'dropped', cause: 'conflated' });
    peer.resume();
    io.run();
    expect(peer.texts.slice(3)).toEqual(['"third"']);
  });
});

test('options that are none are no options', () => {
  class Foreign extends Map {}
  for (const options of [Foreign, null, 1, 'text', { conflate: 7 }, { signal: 'none' }]) {
    expect(sender.post('event', 1, options as never)).toBe(true);
    void sender.send('text', options as never);
  }
  io.run();
  expect(peer.texts).toHaveLength(12);
});

describe('who produces more than is read', () => {
  test('learns when there is room', async () => {
    start({ highWaterMark: 100 });
    expect(await sender.writable()).toBe(true);
    congest();
    let room: boolean | undefined;
    void sender.writable().then((answer) => (room = answer));
    await microtasks();
    expect(room).toBeUndefined();
    peer.resume();
    io.run();
    await microtasks();
    expect(room).toBe(true);
  });

  test('learns that there will be none', async () => {
    refusal = 'closing';
    expect(await sender.writable()).toBe(false);
  });
});

describe('whether all was read', () => {
  test('is told by a pong, or not in time', async () => {
    void sender.send('a');
    const read = sender.acknowledged();
    io.run();
    expect(await read).toBe(true);
    peer.habits.answersPings = false;
    void sender.send('b');
    const late = sender.acknowledged(100);
    io.run();
    clock.advance(100);
    expect(await late).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test.each([-1, Number.NaN, Infinity])('is not waited for for %p ms', async (timeout) => {
    peer.habits.answersPings = false;
    void sender.send('a');
    const answer = sender.acknowledged(timeout);
    clock.advance(0);
    expect(await answer).toBe(false);
  });

  test('is told by the outcome once nothing is accepted', async () => {
    refusal = 'closing';
    closed = Promise.resolve({ acknowledged: true } as CloseOutcome);
    expect(await sender.acknowledged()).toBe(true);
  });
});

describe('Messages that the port reports in one', () => {
  test('share a promise, as long as nothing is said of them', () => {
    port.batch = 1;
    const [first, second] = [sender.send('a'), sender.send('b')];
    expect(second).toBe(first);
    expect(sender.send('c', {})).not.toBe(first);
    port.batch = 2;
    expect(sender.send('d')).not.toBe(first);
  });

  test('have one each where the policy is to acknowledge, and where they are refused', async () => {
    start({ acknowledge: true });
    port.batch = 1;
    expect(sender.send('a')).not.toBe(sender.send('b'));
    start();
    port.batch = 1;
    refusal = 'closing';
    expect(await sender.send('a')).toEqual({ status: 'refused', cause: 'closing' });
  });
});
