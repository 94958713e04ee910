import { beforeEach, describe, expect, test } from '@jest/globals';
import type { SendOutcome } from '../../src/core/outcomes.js';
import { Outbox } from '../../src/runtime/outbox.js';
import type { MessageData } from '../../src/runtime/socket.port.js';
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
let told: string[];
/** What was settled, in order, by name. */
let settled: [string, SendOutcome][];

function start(kernelBuffer = 32 * KiB, highWaterMark = HIGH_WATER_MARK): void {
  io = new TaskQueue();
  ({ port, peer } = createSocketPair({ schedule: io.schedule, kernelBuffer }));
  told = [];
  settled = [];
  outbox = new Outbox(port, highWaterMark, {
    onProgress: () => told.push('progress'),
    onFlushed: () => told.push('flushed'),
  });
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
    expect(outbox.accept('one')).toBe(true);
    expect(outbox.accept('two', { acknowledge: true })).toBe(true);
    io.run();
    expect(peer.texts).toEqual(['one', 'two']);
    expect(outbox.totals).toEqual({
      accepted: 2,
      written: 2,
      acknowledged: 2,
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
    expect(outbox.accept(data as MessageData, undefined, settle('bad'))).toBe(false);
    expect(outbox.accepted).toBe(0);
    accept('good');
    io.run();
    congest();
    accept('waiting');
    expect(outbox.accept(data as MessageData, undefined, settle('bad'))).toBe(false);
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
      send(data, options, written);
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
    acceptAcknowledged('one');
    const ping = outbox.ping();
    expect(ping).toBe(1);
    io.run();
    expect(settled).toEqual([['one', { status: 'acknowledged' }]]);
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
