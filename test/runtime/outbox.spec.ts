import { beforeEach, describe, expect, test } from '@jest/globals';
import type { SendOutcome } from '../../src/core/outcomes.js';
import type { OverflowPolicy } from '../../src/core/overflow.js';
import { BroadcastTally } from '../../src/runtime/broadcast-tally.js';
import { BufferBudget } from '../../src/runtime/buffer-budget.js';
import { DEFAULT_POLICY, type SendPolicy } from '../../src/runtime/connection.policy.js';
import { Outbox, type Acceptance } from '../../src/runtime/outbox.js';
import { SharedMessage, type Handover, type MessageData } from '../../src/runtime/socket.port.js';
import type { FakePeer } from '../support/fakes/fake.peer.js';
import type { FakePort } from '../support/fakes/fake.port.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';
import { TaskQueue } from '../support/fakes/task.queue.js';

const HIGH_WATER_MARK = 1_000;
const KiB = 1024;

let io: TaskQueue;
let port: FakePort;
let peer: FakePeer;
let outbox: Outbox;
let budget: BufferBudget;
let told: string[];
/** What was settled, in order, by name. */
let settled: [string, SendOutcome][];

function start(
  kernelBuffer = 32 * KiB,
  highWaterMark = HIGH_WATER_MARK,
  policy: Partial<SendPolicy> = {},
  limit = 1024 * 1024 * KiB,
): void {
  io = new TaskQueue();
  ({ port, peer } = createSocketPair({ schedule: io.schedule, kernelBuffer }));
  told = [];
  settled = [];
  budget = new BufferBudget(limit);
  outbox = new Outbox(
    port,
    { ...DEFAULT_POLICY.send, highWaterMark, maxBuffered: Infinity, ...policy },
    budget,
    {
      onProgress: () => told.push('progress'),
      onFlushed: () => told.push('flushed'),
      onDropped: () => told.push('dropped'),
      onRefused: (cause) => told.push(`refused: ${cause}`),
    },
  );
  port.listener = {
    onMessage: () => {},
    onPing: () => {},
    onPong: (payload) => void outbox.onPong(payload),
    onPeerClose: () => {},
    onProtocolFailure: () => {},
    onPeerEnd: () => {},
    onClosed: () => {},
  };
}

beforeEach(() => start());

function settle(name: string): (outcome: SendOutcome) => void {
  return (outcome) => settled.push([name, outcome]);
}

function accept(...texts: string[]): void {
  for (const text of texts) outbox.accept(text, undefined, settle(text));
}

function acceptAcknowledged(text: string): void {
  outbox.accept(text, { acknowledge: true }, settle(text));
}

const pingsRead = (): number => peer.frames.filter(({ type }) => type === 'ping').length;
const orderRead = (): string[] =>
  peer.frames.map((frame) => {
    if (frame.type !== 'message') return frame.type;
    return frame.data.length < KiB ? frame.data.toString() : 'block';
  });
const named = (name: string): SendOutcome[] =>
  settled.filter(([settledName]) => settledName === name).map(([, outcome]) => outcome);

/** Fills the kernel, so that what follows stays on this side of it; too small to be marked. */
function congest(): void {
  peer.pause();
  outbox.accept('x'.repeat(40 * KiB));
}

describe('a message', () => {
  test('is accepted, handed over at once, and settled once the kernel has it', () => {
    accept('one');
    expect(outbox.accepted).toBe(1);
    expect(outbox.written).toBe(0);
    expect(outbox.unwritten).toBe(true);
    expect(settled).toEqual([]);
    io.run('written');
    expect(settled).toEqual([['one', { status: 'written' }]]);
    expect(outbox.written).toBe(1);
    expect(outbox.unwritten).toBe(false);
    io.run();
    expect(peer.texts).toEqual(['one']);
    expect(settled).toHaveLength(1);
  });

  test('needs nobody to wait for it', () => {
    expect(outbox.accept('one')).toBe('accepted');
    expect(outbox.accept('two', { acknowledge: true })).toBe('accepted');
    io.run();
    expect(peer.texts).toEqual(['one', 'two']);
    expect(outbox.totals).toEqual({
      accepted: 2,
      written: 2,
      acknowledged: 2,
      dropped: 0,
      lost: 0,
      refused: 0,
    });
  });

  test('hands the options of ws on', () => {
    outbox.accept('binary text', { binary: true });
    congest();
    outbox.accept('queued binary text', { binary: true });
    peer.resume();
    io.run();
    const flags = peer.messages.map(({ isBinary }) => isBinary);
    expect([flags[0], flags[2]]).toEqual([true, true]);
  });

  test('in the queue keeps the options it was accepted with', () => {
    congest();
    const options = { binary: true };
    outbox.accept('queued', options);
    options.binary = false;
    peer.resume();
    io.run();
    expect(peer.messages.at(-1)!.isBinary).toBe(true);
  });

  test.each<[string, unknown]>([
    ['an object', {}],
    ['nothing', undefined],
    ['null', null],
    ['a symbol', Symbol('s')],
  ])('that is %s is not accepted, neither directly nor behind others', (_name, data) => {
    expect(outbox.accept(data as MessageData, undefined, settle('bad'))).toBe('unsendable');
    expect(outbox.accepted).toBe(0);
    accept('good');
    io.run();
    congest();
    accept('waiting');
    expect(outbox.accept(data as MessageData, undefined, settle('bad'))).toBe('unsendable');
    expect(outbox.accepted).toBe(3);
    peer.resume();
    io.run();
    expect(named('bad')).toEqual([]);
    expect(named('waiting')).toEqual([{ status: 'written' }]);
    expect(orderRead()).toEqual(['good', 'block', 'waiting']);
  });

  test.each<[string, MessageData, string]>([
    ['text', 'text', 'text'],
    ['a number', 42, '42'],
    ['nothing in it', '', ''],
    ['a Buffer', Buffer.from('buffer'), 'buffer'],
    ['an ArrayBuffer', new Uint8Array([97]).buffer, 'a'],
    ['part of a typed array', new Uint8Array([97, 98, 99]).subarray(1, 2), 'b'],
    ['a view', new DataView(new Uint8Array([97, 98]).buffer, 1), 'b'],
    ['shared memory', new SharedArrayBuffer(1), '\0'],
    ['a list of bytes', [97, 98] as unknown as MessageData, 'ab'],
  ])('with %s arrives as it is, directly or behind others', (_name, data, text) => {
    outbox.accept(data, undefined, settle('direct'));
    congest();
    outbox.accept(data, undefined, settle('queued'));
    peer.resume();
    io.run();
    expect([peer.texts[0], peer.texts[2]]).toEqual([text, text]);
    expect(named('direct')).toEqual([{ status: 'written' }]);
    expect(named('queued')).toEqual([{ status: 'written' }]);
    expect(outbox.queuedBytes).toBe(0);
  });

  test('with a Blob keeps its place', async () => {
    outbox.accept(new Blob(['direct']), undefined, settle('direct'));
    outbox.accept('behind', undefined, settle('behind'));
    await new Promise((resolve) => void setImmediate(resolve));
    io.run();
    congest();
    outbox.accept(new Blob(['queued']), undefined, settle('queued'));
    expect(outbox.queuedBytes).toBe(6);
    peer.resume();
    io.run();
    await new Promise((resolve) => void setImmediate(resolve));
    io.run();
    expect(peer.texts.filter((text) => text.length < 10)).toEqual(['direct', 'behind', 'queued']);
    expect(settled.map(([name]) => name)).toEqual(['direct', 'behind', 'queued']);
  });
});

describe('past the high-water mark', () => {
  test('messages wait here, in order, and are counted in bytes', () => {
    congest();
    accept('é', '', 'three');
    outbox.accept(12_345, undefined, settle('number'));
    outbox.accept(Buffer.alloc(7), undefined, settle('buffer'));
    expect(outbox.queuedBytes).toBe(2 + 1 + 5 + 5 + 7);
    expect(port.bufferedAmount).toBe(40 * KiB + 4);
    expect(outbox.accepted).toBe(6);
    peer.resume();
    io.run();
    expect(orderRead().slice(1)).toEqual(['é', '', 'three', '12345', '\0'.repeat(7)]);
    expect(settled.map(([name]) => name)).toEqual(['é', '', 'three', 'number', 'buffer']);
    expect(outbox.queuedBytes).toBe(0);
    expect(outbox.unwritten).toBe(false);
  });

  test('the mark itself is past it, one byte below is not', () => {
    start(10, 100);
    peer.pause();
    outbox.accept('x'.repeat(10 + 100 - 1 - 2 - 10));
    expect(port.bufferedAmount).toBe(99);
    outbox.accept('');
    expect(outbox.queuedBytes).toBe(0);
    expect(port.bufferedAmount).toBeGreaterThanOrEqual(100);
    outbox.accept('');
    expect(outbox.queuedBytes).toBe(1);
  });

  test('a message does not overtake those that wait, though the socket has room again', () => {
    congest();
    accept('waiting');
    peer.read();
    expect(outbox.queuedBytes).toBe(7);
    accept('later');
    expect(outbox.queuedBytes).toBe(12);
    peer.resume();
    io.run();
    expect(orderRead().slice(1)).toEqual(['waiting', 'later']);
  });

  test('what waits is handed over as the kernel takes what went before', () => {
    start(100, 100);
    peer.pause();
    accept(...['a', 'b', 'c', 'd'].map((letter) => letter.repeat(98)));
    io.run();
    expect(settled.map(([name]) => name[0])).toEqual(['a']);
    expect(outbox.queuedBytes).toBe(2 * 98);
    peer.read(100);
    io.run();
    expect(settled.map(([name]) => name[0])).toEqual(['a', 'b']);
    expect(outbox.queuedBytes).toBe(98);
    peer.resume();
    io.run();
    expect(settled.map(([name]) => name[0])).toEqual(['a', 'b', 'c', 'd']);
    expect(peer.texts.map((text) => text[0])).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a long queue goes out whole and in order, however slowly it is read', () => {
    start(1_000, 500);
    peer.pause();
    const texts = Array.from({ length: 5_000 }, (_, index) => `message ${index}`);
    accept(...texts);
    const reads = [1, 700, 13, 5_000, 90];
    for (let index = 0; outbox.unwritten; index++) {
      peer.read(reads[index % reads.length]);
      io.run();
    }
    peer.resume();
    io.run();
    expect(peer.texts).toEqual(texts);
    expect(settled.map(([name]) => name)).toEqual(texts);
    expect(outbox.queuedBytes).toBe(0);
  });

  test('messages that are sent while a long queue goes out come behind it', () => {
    start(1_000, 500);
    peer.pause();
    const texts = Array.from({ length: 3_000 }, (_, index) => `message ${index}`);
    accept(...texts);
    let more = 0;
    while (outbox.unwritten) {
      peer.read(400);
      io.run();
      if (more < 50) accept(`more ${more++}`);
    }
    peer.resume();
    io.run();
    expect(peer.texts).toEqual([
      ...texts,
      ...Array.from({ length: 50 }, (_, index) => `more ${index}`),
    ]);
  });

  test('a buffer that is full of control frames holds no message up for ever', () => {
    start(100, 100);
    peer.pause();
    for (let count = 0; count < 10; count++) port.ping(Buffer.alloc(100));
    expect(port.bufferedAmount).toBeGreaterThan(900);
    accept('waits for nothing', 'waits for the first');
    expect(outbox.queuedBytes).toBe('waits for the first'.length);
    peer.resume();
    io.run();
    expect(peer.texts).toEqual(['waits for nothing', 'waits for the first']);
    expect(outbox.queuedBytes).toBe(0);
  });

  test('control frames that come behind the last message hold none up either', () => {
    start(100, 100);
    peer.pause();
    accept('a'.repeat(150));
    for (let count = 0; count < 10; count++) port.ping(Buffer.alloc(100));
    accept('b');
    expect(outbox.queuedBytes).toBe(1);
    peer.resume();
    io.run();
    expect(peer.texts.at(-1)).toBe('b');
  });

  test('nothing more is handed over once the socket takes nothing any more', () => {
    congest();
    accept('waiting');
    peer.end();
    io.run();
    expect(port.writable).toBe(false);
    peer.resume();
    io.run();
    expect(outbox.queuedBytes).toBe(7);
    outbox.settle('network');
    expect(named('waiting')).toEqual([{ status: 'lost', cause: 'network', sent: 'no' }]);
  });

  test('a message that turns out to be none when its turn comes ends the connection', () => {
    congest();
    const send = port.send.bind(port);
    accept('before');
    outbox.accept(new Blob(['of a ws that knows none']), undefined, settle('blob'));
    accept('behind');
    port.send = (data, options, written) => {
      if (data instanceof Blob) throw new TypeError('no Blobs here');
      return send(data, options, written);
    };
    peer.resume();
    io.run();
    expect(port.calls).toEqual(['destroy']);
    outbox.settle('network');
    expect(named('blob')).toEqual([{ status: 'lost', cause: 'network', sent: 'no' }]);
    expect(named('behind')).toEqual([{ status: 'lost', cause: 'network', sent: 'no' }]);
    expect(settled).toHaveLength(3);
    expect(outbox.totals).toMatchObject({ accepted: 4 });
  });
});

describe('acknowledgement', () => {
  test('comes with the pong to a ping behind the message', () => {
    peer.habits.answersPings = false;
    acceptAcknowledged('one');
    io.run();
    expect(orderRead()).toEqual(['one', 'ping']);
    expect(settled).toEqual([]);
    const ping = peer.frames[1] as { payload: Buffer };
    peer.pong(ping.payload);
    io.run();
    expect(settled).toEqual([['one', { status: 'acknowledged' }]]);
    expect(outbox.acknowledged).toBe(1);
  });

  test('one ping in flight serves all who come meanwhile, and another those who came after it', () => {
    peer.pause();
    for (const name of ['one', 'two', 'three']) acceptAcknowledged(name);
    peer.resume();
    io.run();
    expect(orderRead()).toEqual(['one', 'ping', 'two', 'three', 'ping']);
    expect(settled.map(([name, { status }]) => `${name} ${status}`)).toEqual([
      'one acknowledged',
      'two acknowledged',
      'three acknowledged',
    ]);
  });

  test('a thousand of them cost two pings', () => {
    peer.pause();
    for (let index = 0; index < 1_000; index++) acceptAcknowledged(`${index}`);
    peer.resume();
    io.run();
    expect(pingsRead()).toBe(2);
    expect(settled).toHaveLength(1_000);
  });

  test('of everything so far comes at once where all was read', () => {
    outbox.whenAcknowledged(settle('nothing was sent'));
    expect(settled).toEqual([['nothing was sent', { status: 'acknowledged' }]]);
    acceptAcknowledged('one');
    io.run();
    outbox.whenAcknowledged(settle('again'));
    expect(named('again')).toEqual([{ status: 'acknowledged' }]);
    expect(pingsRead()).toBe(1);
    outbox.whenAcknowledged();
    expect(settled).toHaveLength(3);
  });

  test('of everything so far waits for messages that only wait to be written', () => {
    accept('one');
    outbox.whenAcknowledged(settle('all'));
    expect(settled).toEqual([]);
    io.run();
    expect(settled.map(([name]) => name)).toEqual(['one', 'all']);
  });

  test('of messages in the queue is asked for once they have been handed over', () => {
    congest();
    acceptAcknowledged('queued');
    accept('behind');
    expect(pingsRead()).toBe(0);
    expect(outbox.queuedBytes).toBe(12);
    peer.resume();
    io.run();
    expect(orderRead().slice(1)).toEqual(['queued', 'behind', 'ping']);
    expect(named('queued')).toEqual([{ status: 'acknowledged' }]);
  });

  test('settles those who only wait for the kernel, too, where the pong is faster', () => {
    acceptAcknowledged('acknowledged');
    accept('written');
    io.run('reading');
    io.run('arrival');
    expect(settled).toEqual([['acknowledged', { status: 'acknowledged' }]]);
    io.run('reading');
    outbox.whenAcknowledged();
    io.run('reading');
    io.run('arrival');
    expect(settled.at(-1)).toEqual(['written', { status: 'written' }]);
    expect(outbox.written).toBe(2);
    io.run();
    expect(settled).toHaveLength(2);
    expect(outbox.totals).toMatchObject({ written: 2, acknowledged: 2 });
  });

  test('a ping of its own kind proves what went before it, too', () => {
    accept('one');
    outbox.ping();
    io.run();
    outbox.whenAcknowledged(settle('all'));
    expect(named('all')).toEqual([{ status: 'acknowledged' }]);
    expect(pingsRead()).toBe(1);
  });

  test('shares the ping that is in flight with who wants one for another reason', () => {
    acceptAcknowledged('one');
    expect(outbox.ping()).toBeUndefined();
    io.run();
    expect(pingsRead()).toBe(1);
    expect(outbox.ping()).toBe(1);
  });

  test('pongs that are none of ours mean nothing', () => {
    expect(outbox.onPong(Buffer.from('heartbeat'))).toBeUndefined();
    acceptAcknowledged('one');
    expect(outbox.onPong(Buffer.from('heartbeat'))).toBeUndefined();
    expect(settled).toEqual([]);
  });

  test('an older pong that comes behind a newer one takes nothing back', () => {
    peer.habits.answersPings = false;
    acceptAcknowledged('one');
    const close = outbox.markClose();
    io.run();
    const [first, second] = peer.frames.filter(({ type }) => type === 'ping') as {
      payload: Buffer;
    }[];
    expect(outbox.onPong(second!.payload)).toBe(close);
    expect(outbox.onPong(first!.payload)).toBeUndefined();
    expect(outbox.acknowledged).toBe(1);
  });

  test('can be had of everything at once', () => {
    accept('one');
    outbox.whenAcknowledged(settle('all'));
    outbox.acknowledgeAll();
    expect(settled).toEqual([
      ['one', { status: 'written' }],
      ['all', { status: 'acknowledged' }],
    ]);
    outbox.acknowledgeAll();
    expect(settled).toHaveLength(2);
  });
});

const block = 'x'.repeat(16 * KiB);
const orderOf = (from: number): string[] =>
  peer.frames.slice(from).map(({ type }) => (type === 'ping' ? 'ping' : 'm'));

describe('marks in the stream', () => {
  test('stand behind every 256 KiB that are handed over directly', () => {
    start(10_000 * KiB, 1_000 * KiB);
    for (let count = 0; count < 33; count++) outbox.accept(block);
    io.run();
    const pings = orderOf(0).flatMap((frame, index) => (frame === 'ping' ? [index] : []));
    expect(pings).toEqual([16, 33]);
  });

  test('stand behind every 64 KiB of a queue', () => {
    start(16 * KiB, 32 * KiB);
    peer.pause();
    for (let count = 0; count < 20; count++) outbox.accept(block);
    peer.resume();
    io.run();
    const pings = orderOf(0).flatMap((frame, index) => (frame === 'ping' ? [index] : []));
    const gaps = pings.map((at, index) => at - (pings[index - 1] ?? -1) - 1);
    expect(pings.length).toBeGreaterThanOrEqual(4);
    for (const gap of gaps.slice(1)) expect(gap).toBe(4);
  });

  test('count bytes of any kind of message, and start anew behind each ping', () => {
    start(10_000 * KiB, 1_000 * KiB);
    outbox.accept(Buffer.alloc(100 * KiB));
    outbox.accept(new Uint8Array(100 * KiB));
    outbox.accept([1, 2] as unknown as MessageData);
    outbox.accept(Buffer.alloc(55 * KiB));
    io.run();
    expect(pingsRead()).toBe(0);
    outbox.accept(Buffer.alloc(KiB));
    io.run();
    expect(pingsRead()).toBe(1);
    acceptAcknowledged('y'.repeat(255 * KiB));
    io.run();
    outbox.accept(Buffer.alloc(255 * KiB));
    io.run();
    expect(pingsRead()).toBe(2);
  });

  test('do not pile up before a peer that answers none', () => {
    start(100_000 * KiB, 100_000 * KiB);
    peer.habits.answersPings = false;
    for (let count = 0; count < 100; count++) outbox.accept('x'.repeat(256 * KiB));
    io.run();
    expect(pingsRead()).toBe(64);
    outbox.markClose();
    io.run();
    expect(pingsRead()).toBe(65);
  });

  test('the one before our close frame covers all that was handed over', () => {
    accept('one', 'two');
    const close = outbox.markClose();
    io.run('reading');
    peer.habits.answersPings = false;
    const ping = peer.frames.find(({ type }) => type === 'ping') as { payload: Buffer };
    expect(outbox.onPong(ping.payload)).toBe(close);
    expect(outbox.acknowledged).toBe(2);
  });
});

describe('while it is watched', () => {
  test('progress and the end of it are told, as the kernel takes messages', () => {
    accept('one', 'two');
    outbox.watched = true;
    io.runNext('written');
    expect(told).toEqual(['progress']);
    io.runNext('written');
    expect(told).toEqual(['progress', 'progress', 'flushed']);
  });

  test('the end of it is told once, by the last callback, though a pong was faster', () => {
    acceptAcknowledged('one');
    accept('two', 'three');
    outbox.watched = true;
    io.run('reading');
    outbox.markClose();
    io.run('reading');
    io.run('arrival');
    expect(outbox.totals).toMatchObject({ written: 3, acknowledged: 3 });
    expect(outbox.unwritten).toBe(true);
    expect(told).toEqual([]);
    io.run();
    expect(told).toEqual(['progress', 'progress', 'progress', 'flushed']);
    expect(outbox.unwritten).toBe(false);
  });

  test('and else nobody is', () => {
    accept('one');
    io.run();
    expect(told).toEqual([]);
  });

  test('what waits in the queue is not flushed', () => {
    congest();
    accept('waiting');
    outbox.watched = true;
    peer.read();
    io.runNext('written');
    expect(told).toEqual(['progress']);
    peer.resume();
    io.run();
    expect(told).toEqual(['progress', 'progress', 'flushed']);
  });

  test('a write that fails is no progress', () => {
    congest();
    outbox.watched = true;
    port.destroy();
    io.run();
    expect(told).toEqual([]);
    expect(outbox.written).toBe(0);
  });
});

describe('the end', () => {
  test('loses what was not written: "no" for what waited here, "maybe" for what was handed over', () => {
    accept('written');
    io.run();
    peer.pause();
    outbox.accept('x'.repeat(70 * KiB), undefined, settle('handed over'));
    accept('waiting');
    acceptAcknowledged('waiting, too');
    outbox.settle('terminated');
    expect(settled).toEqual([
      ['written', { status: 'written' }],
      ['handed over', { status: 'lost', cause: 'terminated', sent: 'maybe' }],
      ['waiting', { status: 'lost', cause: 'terminated', sent: 'no' }],
      ['waiting, too', { status: 'lost', cause: 'terminated', sent: 'no' }],
    ]);
    expect(outbox.totals).toEqual({
      accepted: 4,
      written: 1,
      acknowledged: 0,
      dropped: 0,
      lost: 3,
      refused: 0,
    });
    expect(outbox.queuedBytes).toBe(0);
  });

  test('loses an acknowledgement of what was written, and may have been read', () => {
    peer.habits.answersPings = false;
    acceptAcknowledged('one');
    io.run();
    outbox.settle('network');
    expect(settled).toEqual([['one', { status: 'lost', cause: 'network', sent: 'maybe' }]]);
    expect(outbox.totals).toMatchObject({ written: 1, lost: 0 });
  });

  test('gives each its own cause', () => {
    for (const cause of ['peer-closed', 'terminated', 'network', 'flush-timeout'] as const) {
      start();
      accept('one');
      outbox.settle(cause);
      expect(settled).toEqual([['one', { status: 'lost', cause, sent: 'maybe' }]]);
    }
  });

  test('settles nobody twice: callbacks and pongs that come later change nothing', () => {
    accept('one');
    acceptAcknowledged('two');
    outbox.watched = true;
    io.run('reading');
    outbox.settle('network');
    const totals = outbox.totals;
    io.run();
    expect(settled).toHaveLength(2);
    expect(told).toEqual([]);
    expect(outbox.totals).toEqual(totals);
    expect(totals).toMatchObject({ accepted: 2, written: 0, lost: 2 });
  });

  test('without anybody who waits is quiet', () => {
    outbox.accept('one');
    outbox.settle('network');
    expect(outbox.totals).toMatchObject({ accepted: 1, lost: 1 });
  });

  test('before it, nothing counts as lost', () => {
    congest();
    accept('waiting');
    expect(outbox.totals).toMatchObject({ accepted: 2, written: 0, lost: 0 });
  });
});

describe('those who send in the middle of it all', () => {
  test('a settlement may send: the message comes behind those that wait', () => {
    congest();
    outbox.accept('first', undefined, () => accept('sent by the settlement'));
    accept('second');
    peer.resume();
    io.run();
    expect(orderRead().slice(1)).toEqual(['first', 'second', 'sent by the settlement']);
    expect(settled.map(([name]) => name)).toEqual(['second', 'sent by the settlement']);
  });

  test('a settlement may send where nothing waits', () => {
    outbox.accept('first', undefined, () => accept('second'));
    io.run();
    expect(peer.texts).toEqual(['first', 'second']);
    expect(settled.map(([name]) => name)).toEqual(['second']);
  });

  test('a settlement may ask for an acknowledgement', () => {
    outbox.accept('first', undefined, () => outbox.whenAcknowledged(settle('all')));
    io.run();
    expect(settled).toEqual([['all', { status: 'acknowledged' }]]);
  });

  test('one pong settles all that it covers, those who send meanwhile not', () => {
    peer.pause();
    outbox.accept('one', { acknowledge: true }, () => acceptAcknowledged('late'));
    peer.resume();
    io.run('reading');
    io.run('arrival');
    expect(settled).toEqual([]);
    io.run();
    expect(settled).toEqual([['late', { status: 'acknowledged' }]]);
  });

  test('a settlement of the end finds nothing to settle again', () => {
    outbox.accept('one', undefined, (outcome) => {
      settle('one')(outcome);
      outbox.settle('network');
    });
    accept('two');
    outbox.settle('terminated');
    expect(settled.map(([name, outcome]) => [name, outcome.status])).toEqual([
      ['one', 'lost'],
      ['two', 'lost'],
    ]);
  });
});

const limited = (
  overflow: OverflowPolicy,
  maxBuffered = 100,
  policy: Partial<SendPolicy> = {},
): void => {
  start(100, 100, { overflow, maxBuffered, ...policy });
  peer.pause();
  outbox.accept('k'.repeat(98));
  io.run();
  outbox.accept('h'.repeat(98));
};
/** What a message of so many bytes comes to, after 100 that are held by the port. */
const comesTo = (bytes: number, name = String(bytes)): Acceptance =>
  outbox.accept('.'.repeat(bytes), undefined, settle(name));

describe('past the limit', () => {
  test.each<[OverflowPolicy, Acceptance]>([
    ['close', 'slow-consumer'],
    ['refuse', 'overflow'],
    ['drop-oldest', 'overflow'],
  ])('%s: the limit counts what the port holds, and the queue', (overflow, acceptance) => {
    limited(overflow, 150);
    expect(comesTo(30)).toBe('accepted');
    expect(comesTo(20)).toBe('accepted');
    expect(port.bufferedAmount + outbox.queuedBytes).toBe(150);
    expect(comesTo(101)).toBe(acceptance);
    expect(outbox.accepted).toBe(4);
    expect(settled).toEqual([]);
  });

  test('empty messages count, so that a flood of them has a bound', () => {
    limited('refuse', 110);
    for (let count = 0; count < 10; count++) expect(comesTo(0)).toBe('accepted');
    expect(comesTo(0)).toBe('overflow');
  });

  test('below the high-water mark one message may be as large as it likes', () => {
    start(100, 100, { overflow: 'close', maxBuffered: 100 });
    peer.pause();
    expect(comesTo(5_000)).toBe('accepted');
    expect(comesTo(1)).toBe('slow-consumer');
  });

  test('what can not be sent is told so, rather than to be too much', () => {
    limited('close', 100);
    expect(outbox.accept({} as never)).toBe('unsendable');
  });

  test('there is room again once the reader has read', () => {
    limited('refuse', 110);
    expect(comesTo(20)).toBe('overflow');
    peer.resume();
    io.run();
    expect(comesTo(20)).toBe('accepted');
    io.run();
    expect(named('20')).toEqual([{ status: 'written' }]);
  });
});

describe('dropping the oldest', () => {
  test('drops as few as make room, in order, and tells who sent them', () => {
    limited('drop-oldest', 130);
    for (const name of ['a', 'b', 'c']) comesTo(10, name);
    expect(comesTo(15, 'd')).toBe('accepted');
    expect(settled).toEqual([
      ['a', { status: 'dropped', cause: 'overflow' }],
      ['b', { status: 'dropped', cause: 'overflow' }],
    ]);
    expect(told).toEqual(['dropped']);
    expect(outbox.queuedBytes).toBe(25);
    peer.resume();
    io.run();
    expect(peer.texts.map(({ length }) => length)).toEqual([98, 98, 10, 15]);
    expect(outbox.totals).toMatchObject({ accepted: 6, written: 4, dropped: 2, lost: 0 });
  });

  test('those who are told may send, and come behind the message that they made room for', () => {
    limited('drop-oldest', 120);
    outbox.accept('old old old', undefined, () => outbox.accept('told'));
    outbox.accept('new new new', undefined, settle('new'));
    expect(outbox.queuedBytes).toBe(15);
    peer.resume();
    io.run();
    expect(peer.texts.slice(2)).toEqual(['new new new', 'told']);
  });

  test('who waits for all to be read waits for what is left', () => {
    limited('drop-oldest', 130);
    comesTo(10, 'a');
    comesTo(10, 'b');
    outbox.whenAcknowledged(settle('all'));
    comesTo(30, 'c');
    expect(named('b')).toHaveLength(1);
    expect(named('all')).toEqual([]);
    peer.resume();
    io.run();
    expect(named('all')).toEqual([{ status: 'acknowledged' }]);
  });

  test('also where another that was before it is left', () => {
    limited('drop-oldest', 130);
    comesTo(10, 'a');
    outbox.accept('keyed', { conflate: 'key' });
    outbox.whenAcknowledged(settle('all'));
    outbox.accept('newer', { conflate: 'key' });
    peer.resume();
    io.run();
    expect(named('all')).toEqual([{ status: 'acknowledged' }]);
  });
});

describe('messages of one key', () => {
  test('are conflated while they wait: the newest is sent, in its own place', () => {
    limited('close', 1_000);
    for (const text of ['a1', 'b1', 'a2', 'c', 'a3']) {
      outbox.accept(text, text === 'c' ? undefined : { conflate: text[0]! }, settle(text));
    }
    expect(settled).toEqual([
      ['a1', { status: 'dropped', cause: 'conflated' }],
      ['a2', { status: 'dropped', cause: 'conflated' }],
    ]);
    expect(told).toEqual([]);
    peer.resume();
    io.run();
    expect(peer.texts.slice(2)).toEqual(['b1', 'c', 'a3']);
  });

  test('are not while the reader keeps up', () => {
    start();
    for (const text of ['a1', 'a2']) outbox.accept(text, { conflate: 'a' });
    io.run();
    expect(peer.texts).toEqual(['a1', 'a2']);
  });

  test('keep the older one where there is no room for the newer', () => {
    limited('refuse', 110);
    outbox.accept('older', { conflate: 'a' }, settle('older'));
    expect(outbox.accept('far too large', { conflate: 'a' })).toBe('overflow');
    expect(settled).toEqual([]);
    expect(outbox.accept('newer 1234', { conflate: 'a' })).toBe('accepted');
    expect(named('older')).toEqual([{ status: 'dropped', cause: 'conflated' }]);
  });
});

describe('senders that wait', () => {
  test('are let in, in order, once the reader has taken half of the high-water mark', () => {
    limited('wait', 200);
    expect(comesTo(10, 'a')).toBe('waiting');
    expect(comesTo(10, 'b')).toBe('waiting');
    expect(outbox.accepted).toBe(2);
    expect(outbox.queuedBytes).toBe(20);
    expect(outbox.accept('post', undefined, undefined, false)).toBe('overflow');
    peer.read(60);
    io.run();
    expect([outbox.accepted, settled]).toEqual([2, []]);
    peer.read(40);
    io.run();
    expect(outbox.accepted).toBe(4);
    peer.resume();
    io.run();
    expect(settled.map(([name]) => name)).toEqual(['a', 'b']);
    expect(outbox.totals).toMatchObject({ accepted: 4, written: 4, refused: 0 });
  });

  test('that need more than half of the limit are let in one by one', () => {
    limited('wait', 300);
    expect(comesTo(60, 'a')).toBe('waiting');
    expect(comesTo(120, 'b')).toBe('waiting');
    peer.read(100);
    io.run();
    expect(outbox.accepted).toBe(3);
    peer.resume();
    io.run();
    expect(settled.map(([name]) => name)).toEqual(['a', 'b']);
  });

  test('do not count as alone for the sake of an older message that they would replace', () => {
    limited('wait', 400);
    expect(outbox.accept('older', { conflate: 'a' })).toBe('accepted');
    expect(outbox.accept('x'.repeat(500), { conflate: 'a' })).toBe('overflow');
    expect(outbox.accept('x'.repeat(200), { conflate: 'a' })).toBe('waiting');
    expect(outbox.accept('newer', { conflate: 'a' }, undefined, false)).toBe('overflow');
    expect(outbox.queuedBytes).toBe(205);
  });

  test('past the limit are refused', () => {
    limited('wait', 200);
    expect(comesTo(90)).toBe('waiting');
    expect(comesTo(11)).toBe('overflow');
  });

  test('are accepted as closing begins, and after them nobody waits', () => {
    limited('wait', 200);
    comesTo(40, 'a');
    comesTo(40, 'b');
    outbox.endPatience();
    expect(outbox.accepted).toBe(4);
    expect(comesTo(20, 'c')).toBe('accepted');
    expect(comesTo(1, 'd')).toBe('overflow');
    peer.resume();
    io.run();
    expect(settled.map(([name]) => name)).toEqual(['a', 'b', 'c']);
  });

  test('are refused where nothing is accepted any more, and only they', () => {
    limited('wait', 200);
    comesTo(10, 'a');
    outbox.accept('unasked');
    outbox.refuseWaiting('closing');
    expect(settled).toEqual([['a', { status: 'refused', cause: 'closing' }]]);
    expect(told).toEqual(['refused: closing', 'refused: closing']);
    expect([outbox.refused, outbox.accepted, outbox.queuedBytes]).toEqual([2, 2, 0]);
    expect(budget.used).toBe(100);
  });

  test('may give up', () => {
    limited('wait', 200);
    const aborter = new AbortController();
    outbox.accept('given up', { signal: aborter.signal }, settle('given up'));
    aborter.abort();
    expect(settled).toEqual([['given up', { status: 'refused', cause: 'aborted' }]]);
    expect(told).toEqual(['refused: aborted']);
    expect(outbox.queuedBytes).toBe(0);
  });
});

describe('room', () => {
  let rooms: boolean[];
  const ask = (): void => outbox.whenRoom((room) => rooms.push(room));
  beforeEach(() => {
    rooms = [];
  });

  test('is there at once where nothing has to wait', () => {
    ask();
    accept('one');
    ask();
    expect(rooms).toEqual([true, true]);
  });

  test('is there again below the low-water mark', () => {
    limited('close', 1_000);
    comesTo(60);
    ask();
    peer.read(60);
    io.run();
    peer.read(50);
    io.run();
    expect(rooms).toEqual([]);
    peer.resume();
    io.run();
    expect(rooms).toEqual([true]);
  });

  test('comes behind those who wait to send', () => {
    limited('wait', 200);
    comesTo(10, 'a');
    const accepted: number[] = [];
    outbox.whenRoom(() => accepted.push(outbox.accepted));
    expect(outbox.accepted).toBe(2);
    peer.resume();
    io.run();
    expect(accepted).toEqual([3]);
  });

  test('is there, though control frames wait, where no message does', () => {
    start(100, 100);
    peer.pause();
    for (let count = 0; count < 10; count++) port.ping(Buffer.alloc(100));
    ask();
    expect(rooms).toEqual([true]);
  });

  test('is asked for by nobody who did not care to be told', () => {
    limited('close', 1_000);
    comesTo(10);
    outbox.whenAcknowledged();
    outbox.whenAcknowledged(settle('all'));
    outbox.settle('network');
    expect(named('all')).toEqual([{ status: 'lost', cause: 'network', sent: 'no' }]);
  });

  test('comes with an acknowledgement, where nothing was ever queued', () => {
    start(32 * KiB, 1_000, { onUnacknowledged: () => {}, maxBuffered: 1_000 });
    peer.habits.answersPings = false;
    comesTo(1_000, 'kept');
    ask();
    io.run();
    expect(rooms).toEqual([]);
    const [ping] = peer.frames.filter(({ type }) => type === 'ping') as { payload: Buffer }[];
    peer.pong(ping!.payload);
    io.run();
    expect(rooms).toEqual([true]);
  });

  test('will not be there where nothing is accepted any more, nor at the end', () => {
    limited('close', 1_000);
    ask();
    outbox.refuseWaiting('closing');
    expect(rooms).toEqual([false]);
    ask();
    outbox.settle('network');
    ask();
    expect(rooms).toEqual([false, false, false]);
  });
});

describe('the budget of all connections', () => {
  test('holds what is on its way or waits, and lets it go', () => {
    start(100, 100, { overflow: 'wait', maxBuffered: 200 });
    peer.pause();
    accept('a'.repeat(98), 'b'.repeat(98));
    expect(budget.used).toBeGreaterThanOrEqual(98);
    io.run();
    comesTo(20);
    comesTo(30);
    expect(budget.used).toBe(port.bufferedAmount + 50);
    peer.resume();
    io.run();
    expect(budget.used).toBe(0);
  });

  test('is let go at the end', () => {
    limited('close', 1_000);
    comesTo(20);
    outbox.settle('network');
    expect(budget.used).toBe(0);
  });

  test('once it is used up, stops those whose reader lags behind, and nobody else', () => {
    start(100, 10_000, { overflow: 'refuse' }, 1_000);
    budget.used = 1_000;
    expect(comesTo(50)).toBe('accepted');
    expect(comesTo(50)).toBe('accepted');
    peer.pause();
    io.run();
    comesTo(98);
    comesTo(98);
    expect(port.blocked).toBe(true);
    expect(comesTo(1)).toBe('overflow');
    budget.used = 0;
    expect(comesTo(1)).toBe('accepted');
  });

  test('drops the oldest for what there is no room for in all', () => {
    start(100, 100, { overflow: 'drop-oldest' }, 1_000);
    peer.pause();
    accept('k'.repeat(98), 'h'.repeat(98));
    io.run();
    comesTo(30, 'a');
    comesTo(30, 'b');
    budget.used = 1_000;
    expect(comesTo(40, 'c')).toBe('accepted');
    expect(settled.filter(([, { status }]) => status === 'dropped').map(([name]) => name)).toEqual([
      'a',
      'b',
    ]);
  });
});

const left = (): string[] =>
  outbox.takeUnacknowledged().map(({ data, sent }) => `${String(data).slice(0, 8)} ${sent}`);

describe('what is not acknowledged', () => {
  const keep: Partial<SendPolicy> = { onUnacknowledged: () => {} };

  test('is kept and asked for, whoever sent it', () => {
    start(32 * KiB, HIGH_WATER_MARK, keep);
    accept('one');
    outbox.accept('two');
    expect(left()).toEqual(['one maybe', 'two maybe']);
    io.run();
    expect(pingsRead()).toBe(2);
    expect(left()).toEqual([]);
  });

  test('is so for all by the acknowledge option, and else where it was asked for', () => {
    start(32 * KiB, HIGH_WATER_MARK, { acknowledge: true });
    accept('one');
    expect(left()).toEqual(['one maybe']);
    start();
    accept('not asked for');
    acceptAcknowledged('asked');
    expect(left()).toEqual(['asked maybe']);
  });

  test('is not kept where nobody asked, on the way or in the queue', () => {
    limited('close', 1_000);
    accept('queued');
    outbox.accept('asked', { acknowledge: true });
    expect(left()).toEqual(['asked no']);
  });

  test('is handed back in order, with what has surely not left', () => {
    limited('close', 1_000, keep);
    accept('queued', 'too');
    expect(left()).toEqual(['kkkkkkkk maybe', 'hhhhhhhh maybe', 'queued no', 'too no']);
  });

  test('holds no more than the limit: what follows waits until it is acknowledged', () => {
    start(32 * KiB, HIGH_WATER_MARK, { ...keep, maxBuffered: 1_000, overflow: 'refuse' });
    peer.habits.answersPings = false;
    comesTo(600);
    comesTo(400);
    io.run();
    expect(port.bufferedAmount).toBe(0);
    expect(comesTo(1)).toBe('overflow');
    expect(outbox.hasRoom).toBe(false);
    const [ping] = peer.frames.filter(({ type }) => type === 'ping') as { payload: Buffer }[];
    peer.pong(ping!.payload);
    io.run();
    expect(outbox.hasRoom).toBe(true);
    expect(comesTo(500)).toBe('accepted');
    expect(comesTo(100)).toBe('accepted');
  });

  test('lets nothing overtake one that is accepted, and does not fit yet', () => {
    start(32 * KiB, HIGH_WATER_MARK, { maxBuffered: 1_000, overflow: 'wait' });
    peer.habits.answersPings = false;
    acceptAcknowledged('x'.repeat(400));
    acceptAcknowledged('y'.repeat(700));
    io.run();
    expect([outbox.accepted, outbox.queuedBytes, port.bufferedAmount]).toEqual([2, 700, 0]);
    expect(outbox.accept('plain')).toBe('overflow');
    const [ping] = peer.frames.filter(({ type }) => type === 'ping') as { payload: Buffer }[];
    peer.pong(ping!.payload);
    io.run();
    expect(peer.texts.slice(1)).toEqual(['y'.repeat(700)]);
  });

  test('counts as held by the process until it is acknowledged', () => {
    peer.habits.answersPings = false;
    acceptAcknowledged('x'.repeat(500));
    io.run();
    expect([port.bufferedAmount, budget.used]).toEqual([0, 500]);
    const [ping] = peer.frames.filter(({ type }) => type === 'ping') as { payload: Buffer }[];
    peer.pong(ping!.payload);
    io.run();
    expect(budget.used).toBe(0);
  });

  test('makes room for those who wait only once half of it was acknowledged', () => {
    start(32 * KiB, HIGH_WATER_MARK, { ...keep, maxBuffered: 1_000 });
    peer.habits.answersPings = false;
    const pong = (index: number): void => {
      const pings = peer.frames.filter(({ type }) => type === 'ping') as { payload: Buffer }[];
      peer.pong(pings[index]!.payload);
      io.run();
    };
    comesTo(400);
    io.run();
    comesTo(600);
    io.run();
    const rooms: boolean[] = [];
    outbox.whenRoom((room) => rooms.push(room));
    pong(0);
    expect(rooms).toEqual([]);
    pong(1);
    expect(rooms).toEqual([true]);
  });

  test('lets those go on who waited for it', () => {
    start(32 * KiB, HIGH_WATER_MARK, { ...keep, maxBuffered: 1_000, overflow: 'wait' });
    peer.habits.answersPings = false;
    comesTo(1_000, 'first');
    const rooms: boolean[] = [];
    outbox.whenRoom((room) => rooms.push(room));
    expect(comesTo(100, 'waits')).toBe('waiting');
    io.run();
    expect([named('waits'), rooms]).toEqual([[], []]);
    peer.habits.answersPings = true;
    const [ping] = peer.frames.filter(({ type }) => type === 'ping') as { payload: Buffer }[];
    peer.pong(ping!.payload);
    io.run();
    expect(named('waits')).toEqual([{ status: 'written' }]);
    expect(rooms).toEqual([true]);
  });

  test('tells text from binary', () => {
    limited('close', 1_000, keep);
    outbox.accept(Buffer.from('b'));
    outbox.accept(Buffer.from('t'), { binary: false });
    expect(outbox.takeUnacknowledged().map(({ binary }) => binary)).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });

  test('a close counts what was dropped as given up, not as lost', () => {
    limited('drop-oldest', 210, keep);
    comesTo(10);
    comesTo(12, 'newer');
    expect(left()).toHaveLength(3);
    outbox.settle('network');
    expect(outbox.totals).toMatchObject({ accepted: 4, written: 1, dropped: 1, lost: 2 });
  });
});

describe('Messages that the port reports in one', () => {
  test('are not shared where it reports each', () => {
    expect(outbox.acceptInBatch('a')).toBeUndefined();
    expect(outbox.totals.accepted).toBe(0);
  });

  test('settle together, once all of them are written', async () => {
    port.batch = 1;
    const first = outbox.acceptInBatch('a');
    expect(outbox.acceptInBatch('b')).toBe(first);
    expect(outbox.totals.accepted).toBe(2);
    io.run();
    expect(await first).toEqual({ status: 'written' });
    expect(outbox.acceptInBatch('c')).not.toBe(first);
  });

  test('are lost together', async () => {
    port.batch = 1;
    const shared = outbox.acceptInBatch('a');
    outbox.settle('network');
    expect(await shared).toEqual({ status: 'lost', cause: 'network', sent: 'maybe' });
  });

  test('are parted by a ping, as its pong may prove only the first of them read', async () => {
    port.batch = 1;
    const before = outbox.acceptInBatch('before');
    outbox.whenAcknowledged();
    const behind = outbox.acceptInBatch('behind');
    expect(behind).not.toBe(before);
    outbox.markClose();
    expect(outbox.acceptInBatch('last')).not.toBe(behind);
  });

  test('are kept and asked for where all are, and are not shared past what fits', () => {
    start(32 * KiB, HIGH_WATER_MARK, { onUnacknowledged: () => {}, maxBuffered: 10 });
    port.batch = 1;
    expect(outbox.acceptInBatch('12345')).toBeDefined();
    expect(outbox.acceptInBatch('123456')).toBeUndefined();
    io.run();
    expect(pingsRead()).toBe(1);
    expect(outbox.takeUnacknowledged()).toEqual([]);
  });

  test('leave it to accept() to tell what can not be sent', () => {
    port.batch = 1;
    expect(outbox.acceptInBatch(Symbol('s') as unknown as MessageData)).toBeUndefined();
    expect(outbox.totals.accepted).toBe(0);
  });
});

function talliesOf(count: number): BroadcastTally[] {
  return Array.from({ length: count }, () => new BroadcastTally(1));
}

const NOT_WRITTEN = (): void => {};

describe('One message for many', () => {
  const message = new SharedMessage(Buffer.from('for all'), false);
  let shares: boolean;

  const shared = (tally: BroadcastTally): boolean => outbox.acceptShared(message, tally);

  beforeEach(() => {
    shares = true;
    port.sendShared = ({ data, binary }, written) => {
      return shares ? port.send(data, { binary }, written) : undefined;
    };
  });

  test('is counted once it is written, in its place', () => {
    const tally = new BroadcastTally(3);
    outbox.accept('before');
    expect(shared(tally)).toBe(true);
    outbox.accept('behind');
    expect(outbox.totals.accepted).toBe(3);
    expect(tally.written).toBe(0);
    io.run();
    expect(peer.texts).toEqual(['before', 'for all', 'behind']);
    expect(tally.written).toBe(1);
  });

  test('is left to accept() where the port, the policy or the room say so', () => {
    const tally = new BroadcastTally(1);
    shares = false;
    expect(shared(tally)).toBe(false);
    port.sendShared = undefined;
    expect(shared(tally)).toBe(false);
    port.sendShared = () => {
      throw new Error('no memory');
    };
    expect(shared(tally)).toBe(false);
    start(32 * KiB, HIGH_WATER_MARK, { onUnacknowledged: () => {} });
    port.sendShared = () => 'pending';
    expect(shared(tally)).toBe(false);
    start(KiB, KiB);
    port.sendShared = () => 'pending';
    peer.pause();
    outbox.accept('x'.repeat(2 * KiB));
    expect(shared(tally)).toBe(false);
    expect(outbox.totals.accepted).toBe(1);
  });

  test('that follows another in one batch shares what waits, until a ping parts them', () => {
    port.batch = 1;
    const tallies = [1, 2, 3].map(() => new BroadcastTally(1));
    const pings: Buffer[] = [];
    port.ping = (payload) => void pings.push(payload);
    shared(tallies[0]!);
    shared(tallies[1]!);
    outbox.markClose();
    shared(tallies[2]!);
    outbox.onPong(pings[0]!);
    expect(tallies.map(({ written }) => written)).toEqual([1, 1, 0]);
    outbox.settle('network');
    expect(tallies.map(({ written, lost }) => [written, lost])).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
    ]);
  });

  test('may follow any number of others in one batch', () => {
    port.batch = 1;
    start(KiB * KiB, Infinity);
    port.batch = 1;
    port.sendShared = (_message, written) => {
      io.schedule(written, 'written');
      return 'pending';
    };
    const tally = new BroadcastTally(100_000);
    for (let sent = 0; sent < 100_000; sent++) shared(tally);
    outbox.settle('network');
    expect(tally.lost).toBe(100_000);
  });

  test('asks now and then whether the reader still reads', () => {
    port.batch = 1;
    const large = new SharedMessage(Buffer.alloc(60 * KiB), true);
    start(2_000 * KiB, 2_000 * KiB);
    port.sendShared = ({ data }, written) => port.send(data, undefined, written);
    const tally = new BroadcastTally(10);
    for (let sent = 0; sent < 10; sent++) outbox.acceptShared(large, tally);
    io.run();
    expect(pingsRead()).toBe(2);
    expect(tally.written).toBe(10);
  });

  describe('behind another in the same tick', () => {
    /** What the port has taken and not reported. */
    let taken: string[];
    let report: () => void;

    beforeEach(() => {
      port.batch = 1;
      taken = [];
      let last: (error?: Error | null, messages?: number) => void = NOT_WRITTEN;
      let frames = 0;
      const take = (text: string): void => {
        taken.push(text);
        frames++;
      };
      port.send = (data, _options, written) => {
        last = written;
        take(String(data));
        return 'pending';
      };
      port.sendShared = (given, written) => {
        last = written;
        given.frame = given.data;
        take(given.data.toString());
        return 'pending';
      };
      port.sharedSink = {
        tick: 1,
        lone: false,
        addShared: (frame) => {
          take(`${frame.toString()} by the lane`);
          return 'pending';
        },
      };
      report = () => {
        last(undefined, frames);
        frames = 0;
      };
    });

    /** The same port for another outbox. */
    const restart = (highWaterMark: number): void => {
      const ports = { sendShared: port.sendShared, sharedSink: port.sharedSink };
      start(1_000 * KiB, highWaterMark);
      Object.assign(port, ports, { batch: 1 });
    };

    test.each([
      [350, 100, 2],
      [1_000 * KiB, 5 * KiB, 3],
    ])('goes by none past a mark of %i B, and past 16 KiB', (highWaterMark, bytes, some) => {
      restart(highWaterMark);
      const large = new SharedMessage(Buffer.alloc(bytes), false);
      const [first, ...others] = talliesOf(20) as [BroadcastTally, ...BroadcastTally[]];
      outbox.acceptShared(large, first);
      expect(others.filter((tally) => outbox.lane!.take(large, tally))).toHaveLength(some);
    });

    test('asks whether the reader still reads by what went by it, too', () => {
      restart(1_000 * KiB);
      let pings = 0;
      port.ping = () => pings++;
      const large = new SharedMessage(Buffer.alloc(8 * KiB), false);
      for (const tally of talliesOf(36)) {
        if (!outbox.lane?.take(large, tally)) outbox.acceptShared(large, tally);
        if (outbox.lane?.messages === 2) report();
      }
      expect(pings).toBe(1);
    });

    test('may go by a lane, and counts as if it had not', () => {
      const [first, second, third] = talliesOf(3) as [
        BroadcastTally,
        BroadcastTally,
        BroadcastTally,
      ];
      expect(outbox.lane).toBeUndefined();
      shared(first);
      expect(outbox.lane!.take(message, second)).toBe(true);
      expect(outbox.accepted).toBe(2);
      expect(budget.used).toBe(2 * message.data.length);
      expect(outbox.unwritten).toBe(true);
      expect(outbox.lane!.take(message, third)).toBe(false);
      shared(third);
      expect(taken).toEqual(['for all', 'for all by the lane', 'for all']);
      expect(outbox.totals).toMatchObject({ accepted: 3, written: 0 });
      report();
      expect(outbox.totals).toMatchObject({ accepted: 3, written: 3 });
      expect([first, second, third].map(({ written }) => written)).toEqual([1, 1, 1]);
      expect(budget.used).toBe(0);
    });

    test.each<[string, () => unknown]>([
      ['is sent', () => outbox.accept('other')],
      ['is sent in a batch', () => outbox.acceptInBatch('other')],
      ['is to be acknowledged', () => outbox.whenAcknowledged()],
      ['waits for room', () => outbox.whenRoom(() => {})],
      ['asks for room', () => outbox.hasRoom],
      ['pings', () => outbox.ping()],
      ['closes', () => outbox.markClose()],
      ['begins to close', () => outbox.endPatience()],
      ['refuses', () => outbox.refuseWaiting('closing')],
      ['is answered', () => outbox.onPong(Buffer.from('of the app'))],
      ['is reported', () => report()],
    ])('goes by none once something %s', (_what, act) => {
      const [first, second, third] = talliesOf(3) as [
        BroadcastTally,
        BroadcastTally,
        BroadcastTally,
      ];
      shared(first);
      outbox.lane!.take(message, second);
      act();
      expect(outbox.lane!.take(message, third)).toBe(false);
      expect(outbox.accepted).toBeGreaterThanOrEqual(2);
      report();
      expect([first.written, second.written, third.written]).toEqual([1, 1, 0]);
    });

    test('is proved read by a pong only where the ping came behind it', () => {
      const [first, second, third] = talliesOf(3) as [
        BroadcastTally,
        BroadcastTally,
        BroadcastTally,
      ];
      const pings: Buffer[] = [];
      port.ping = (payload) => void pings.push(payload);
      shared(first);
      outbox.lane!.take(message, second);
      outbox.ping();
      shared(third);
      outbox.onPong(pings[0]!);
      expect([first.written, second.written, third.written]).toEqual([1, 1, 0]);
      expect(outbox.totals).toMatchObject({ accepted: 3, acknowledged: 2 });
    });

    test('is lost with the others where the connection ends', () => {
      const [first, second] = talliesOf(2) as [BroadcastTally, BroadcastTally];
      shared(first);
      outbox.lane!.take(message, second);
      outbox.settle('terminated');
      expect([first.lost, second.lost]).toEqual([1, 1]);
      expect(outbox.totals).toMatchObject({ accepted: 2, lost: 2 });
      expect(budget.used).toBe(0);
    });

    test('goes by none where a reader has not taken what came before, or a ping has parted them', () => {
      const [first, second] = talliesOf(2) as [BroadcastTally, BroadcastTally];
      outbox.accept('before');
      shared(first);
      expect(outbox.lane).toBeUndefined();
      report();
      outbox.whenAcknowledged();
      shared(second);
      expect(outbox.lane!.take(message, first)).toBe(true);
    });

    test('goes by none of a port that has none', () => {
      port.sharedSink = undefined;
      shared(new BroadcastTally(1));
      expect(outbox.lane).toBeUndefined();
    });
  });
});

describe('A message that the kernel takes at once', () => {
  const message = new SharedMessage(Buffer.from('for all'), false);
  let takes: boolean;
  let handed: string[];

  /** A port that says so of whatever it is handed. */
  const restart = (policy?: Partial<SendPolicy>): void => {
    start(32 * KiB, HIGH_WATER_MARK, policy);
    takes = true;
    handed = [];
    port.batch = 1;
    const take = (text: string): Handover => {
      handed.push(text);
      if (takes) port.batch!++;
      return takes ? 'taken' : 'pending';
    };
    port.send = (data) => take(String(data));
    port.sendShared = (given) => {
      given.frame = given.data;
      return take(given.data.toString());
    };
    port.sharedSink = {
      get tick() {
        return port.batch!;
      },
      get lone() {
        return takes;
      },
      addShared: (frame) => take(`${frame.toString()} by the lane`),
    };
  };

  beforeEach(() => restart());

  test('is written, and holds nothing of the budget', () => {
    expect(outbox.accept('one')).toBe('accepted');
    expect(outbox.totals).toMatchObject({ accepted: 1, written: 1, lost: 0 });
    expect([outbox.unwritten, budget.used, told]).toEqual([false, 0, []]);
  });

  test('is told of to who waits, but not before what was called has returned', async () => {
    accept('one');
    expect([settled, outbox.written]).toEqual([[], 1]);
    await Promise.resolve();
    expect(settled).toEqual([['one', { status: 'written' }]]);
    expect(await outbox.acceptInBatch('two')).toEqual({ status: 'written' });
    outbox.settle('network');
    expect(settled).toHaveLength(1);
  });

  test('is told of as written also where the connection ends before it can be', () => {
    accept('one');
    outbox.settle('network');
    expect(named('one')).toEqual([{ status: 'written' }]);
    expect(outbox.totals).toMatchObject({ accepted: 1, written: 1, lost: 0 });
  });

  test('shares its outcome with none that comes behind it', async () => {
    const first = outbox.acceptInBatch('one');
    takes = false;
    const second = outbox.acceptInBatch('two');
    expect(second).not.toBe(first);
    outbox.settle('network');
    expect([await first, await second]).toEqual([
      { status: 'written' },
      { status: 'lost', cause: 'network', sent: 'maybe' },
    ]);
  });

  test('is told of to who watches, but not before it is accepted', async () => {
    outbox.watched = true;
    accept('one');
    expect([outbox.written, outbox.unwritten, told]).toEqual([0, true, []]);
    await Promise.resolve();
    expect([outbox.written, outbox.unwritten, told]).toEqual([1, false, ['progress', 'flushed']]);
    expect(named('one')).toEqual([{ status: 'written' }]);
  });

  test('is kept, held and asked for as any other until it is acknowledged', () => {
    restart({ onUnacknowledged: () => {} });
    const pings: Buffer[] = [];
    port.ping = (payload) => void pings.push(payload);
    outbox.accept('12345');
    void outbox.acceptInBatch('678');
    expect(budget.used).toBe(8);
    expect(pings).toHaveLength(1);
    outbox.onPong(pings[0]!);
    expect(budget.used).toBe(3);
    outbox.onPong(pings[1]!);
    expect([budget.used, outbox.acknowledged]).toEqual([0, 2]);
  });

  describe('out of those that wait', () => {
    /** Told of the one that is on its way. */
    let report: () => void;

    beforeEach(async () => {
      restart({ overflow: 'wait', maxBuffered: 2400 });
      takes = false;
      let buffered = 0;
      Object.defineProperty(port, 'bufferedAmount', { get: () => buffered });
      const send = port.send.bind(port);
      port.send = (data, options, written) => {
        report = written;
        const handover = send(data, options, written);
        buffered = handover === 'taken' ? 0 : HIGH_WATER_MARK;
        return handover;
      };
      outbox.accept('x'.repeat(HIGH_WATER_MARK));
      // The second does not fit behind the first.
      accept('1'.repeat(300), '2'.repeat(950), 'last');
      await Promise.resolve();
      expect(settled).toEqual([]);
      takes = true;
      buffered = 0;
    });

    test('lets those behind it follow, and holds nothing of the budget', async () => {
      report();
      // One microtask for each of them.
      for (let turns = 0; turns < 10; turns++) await Promise.resolve();
      expect(settled.map(([text, { status }]) => [text.length, status])).toEqual([
        [300, 'written'],
        [950, 'written'],
        [4, 'written'],
      ]);
      expect(handed.map(({ length }) => length)).toEqual([HIGH_WATER_MARK, 300, 950, 4]);
      expect([budget.used, outbox.unwritten, outbox.queuedBytes]).toEqual([0, false, 0]);
      expect(outbox.totals).toMatchObject({ accepted: 4, written: 4 });
    });

    test('makes room for who asked for it', async () => {
      let room: boolean | undefined;
      outbox.whenRoom((has) => (room = has));
      report();
      for (let turns = 0; turns < 10; turns++) await Promise.resolve();
      expect(room).toBe(true);
    });
  });

  test('one for many is counted at once, and those of later ticks may go by the lane', () => {
    const tallies = [1, 2, 3].map(() => new BroadcastTally(1));
    expect(outbox.acceptShared(message, tallies[0]!)).toBe(true);
    expect(tallies[0]!.written).toBe(1);
    expect(outbox.lane!.take(message, tallies[1]!)).toBe(true);
    expect(outbox.totals).toMatchObject({ accepted: 2, written: 2 });
    outbox.accept('own');
    expect(outbox.lane!.take(message, tallies[2]!)).toBe(false);
    expect(handed).toEqual(['for all', 'for all by the lane', 'own']);
    expect(outbox.totals).toMatchObject({ accepted: 3, written: 3 });
    expect(budget.used).toBe(0);
  });

  test('by the lane, but for the last, is lost with that one only', () => {
    const tallies = [1, 2, 3].map(() => new BroadcastTally(1));
    outbox.acceptShared(message, tallies[0]!);
    outbox.lane!.take(message, tallies[1]!);
    takes = false;
    expect(outbox.lane!.take(message, tallies[2]!)).toBe(false);
    outbox.acceptShared(message, tallies[2]!);
    expect(budget.used).toBe(message.data.length);
    outbox.settle('network');
    expect(tallies.map(({ written, lost }) => [written, lost])).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
    ]);
    expect(outbox.totals).toMatchObject({ accepted: 3, written: 2, lost: 1 });
  });

  test('one by the lane that is not taken after all is settled when it is reported', () => {
    const tallies = [1, 2].map(() => new BroadcastTally(1));
    outbox.acceptShared(message, tallies[0]!);
    port.sharedSink = { ...port.sharedSink!, addShared: () => 'pending' };
    outbox.accept('own');
    outbox.acceptShared(message, tallies[0]!);
    expect(outbox.lane!.take(message, tallies[1]!)).toBe(true);
    expect([tallies[1]!.written, outbox.unwritten]).toEqual([0, true]);
    expect(outbox.totals).toMatchObject({ accepted: 4, written: 3 });
    expect(budget.used).toBe(message.data.length);
    outbox.settle('network');
    expect(tallies[1]!.lost).toBe(1);
  });

  test('asks now and then whether the reader still reads', () => {
    let pings = 0;
    port.ping = () => pings++;
    const large = new SharedMessage(Buffer.alloc(500), true);
    const tally = new BroadcastTally(2_000);
    for (let sent = 0; sent < 1_100; sent++) {
      if (!outbox.lane?.take(large, tally)) outbox.acceptShared(large, tally);
    }
    expect(pings).toBe(2);
  });
});

function readAll(): void {
  peer.resume();
  io.run();
}

describe('Who asks whether all was read, while a sender waits for room', () => {
  let aborter: AbortController;
  /** The answer, and how many messages were read by then. */
  let answer: [string, number] | undefined;

  beforeEach(() => {
    aborter = new AbortController();
    answer = undefined;
    start(32 * KiB, HIGH_WATER_MARK, { overflow: 'wait', maxBuffered: 200 * KiB });
    congest();
    accept('in the queue');
    const { signal } = aborter;
    expect(outbox.accept('y'.repeat(150 * KiB), { signal }, settle('waits'))).toBe('waiting');
    outbox.whenAcknowledged(({ status }) => (answer = [status, outbox.acknowledged]));
  });

  test('is told once that was read, too', () => {
    readAll();
    expect(named('waits')).toEqual([{ status: 'written' }]);
    expect(answer).toEqual(['acknowledged', 3]);
  });

  test('is not kept waiting by one that was given up, but by those before it', () => {
    aborter.abort();
    expect(named('waits')).toEqual([{ status: 'refused', cause: 'aborted' }]);
    readAll();
    expect(answer).toEqual(['acknowledged', 2]);
  });

  test('is told so where nothing is left before one that was given up', () => {
    start(32 * KiB, HIGH_WATER_MARK, { overflow: 'wait', maxBuffered: KiB });
    congest();
    const { signal } = aborter;
    outbox.accept('y'.repeat(KiB), { signal });
    outbox.whenAcknowledged(({ status }) => (answer = [status, outbox.acknowledged]));
    aborter.abort();
    readAll();
    expect(answer).toEqual(['acknowledged', 1]);
  });

  test('is told of the end where the connection ends first', () => {
    outbox.refuseWaiting('closing');
    expect(answer).toBeUndefined();
    outbox.settle('network');
    expect(answer).toEqual(['lost', 0]);
  });
});
