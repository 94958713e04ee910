/* oxlint-disable no-underscore-dangle -- Node's and ws's own names. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { constants, deflateRawSync } from 'node:zlib';
import type { WebSocket } from 'ws';
import { readDirectly } from '../../src/ws/read-buffer.js';
import { closeFrame, frame, Opcode } from '../support/clients/frames.js';
import { within } from '../support/waiting.js';
import { Host, type Joined } from './host.js';
import { LOWEST, NEWEST } from './pairs.js';

interface Internals {
  readonly _socket: Socket & Record<symbol, unknown>;
  readonly _receiver: { write(chunk: Buffer): boolean };
}

function internalsOf(socket: WebSocket): Internals {
  return socket as unknown as Internals;
}

function fieldOf(stream: object, name: string): symbol {
  return Object.getOwnPropertySymbols(stream).find(({ description }) => description === name)!;
}

function text(payload: string): Buffer {
  return frame(Opcode.text, payload);
}

/** What goes by ws's receiver. */
function writesTo(socket: WebSocket): Buffer[] {
  const { _receiver: receiver } = internalsOf(socket);
  const write = receiver.write.bind(receiver);
  const writes: Buffer[] = [];
  receiver.write = (chunk) => {
    writes.push(chunk);
    return write(chunk);
  };
  return writes;
}

/** Takes what it is given for the bytes of one read, before it returns. */
function readerOf(socket: WebSocket): (...pieces: Buffer[]) => boolean {
  const { _socket: stream } = internalsOf(socket);
  const onRead = stream[fieldOf(stream, 'kBufferCb')] as (length: number) => boolean;
  const target = stream[fieldOf(stream, 'kBuffer')] as Buffer;
  return (...pieces) => {
    const bytes = Buffer.concat(pieces);
    bytes.copy(target);
    return onRead.call(stream, bytes.length);
  };
}

/** Sends each piece once what was before it has been read. */
async function sendApart({ peer, socket }: Joined, pieces: readonly Buffer[]): Promise<void> {
  const { _socket: stream } = internalsOf(socket);
  let until = stream.bytesRead;
  for (const piece of pieces) {
    peer.send(piece);
    until += piece.length;
    while (stream.bytesRead < until && !stream.destroyed && !peer.socket.destroyed) {
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const LIMIT = 80_000;
const REST = 'the rest';
const MASKS = [Buffer.alloc(4), Buffer.from([0x81, 0x85, 0x12, 0xff])];

const flaws = fc.record({ mask: fc.constantFrom(...MASKS) });
const lengths = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.constantFrom(125, 126, 1000, 5000, 65_536, LIMIT - REST.length),
);
const contents = lengths.chain((length) =>
  fc.constantFrom('x'.repeat(length), 'né€s'.repeat(length >> 3), '{"event":"e"}'),
);
const common = fc.tuple(
  fc.constantFrom(Opcode.text, Opcode.text, Opcode.text, Opcode.binary, Opcode.ping, Opcode.pong),
  contents,
  flaws,
);
const good = common.map(([opcode, payload, flaw]) => {
  const control = opcode === Opcode.ping || opcode === Opcode.pong;
  return [frame(opcode, control ? payload.slice(0, 40) : payload, flaw)];
});
const parts = fc
  .tuple(contents, flaws)
  .map(([payload, flaw]) =>
    Buffer.concat([
      frame(Opcode.text, payload, { ...flaw, fin: false }),
      frame(Opcode.ping, 'in between', flaw),
      frame(Opcode.continuation, REST, flaw),
    ]),
  );
/** All of them end a connection. */
const bad = fc.constantFrom(
  [frame(Opcode.text, Buffer.from([0xc3, 0x28]))],
  [frame(Opcode.text, 'no mask', { masked: false })],
  [frame(Opcode.text, 'reserved', { reserved: 1 })],
  [frame(Opcode.text, 'compressed', { reserved: 4 })],
  [frame(Opcode.continuation, 'of nothing')],
  [frame(5, 'unknown')],
  [frame(Opcode.pong, 'x'.repeat(126))],
  [frame(Opcode.pong, 'a fragment', { fin: false })],
  [frame(Opcode.text, 'x'.repeat(LIMIT + 1))],
  [frame(Opcode.text, 'begun', { fin: false }), text('another'), text('a third')],
  [closeFrame(1000, 'bye')],
  [closeFrame(1)],
);

/** Some end with what ends the connection, and what comes behind it is nobody's. */
const streams = fc.record({
  frames: fc.array(fc.oneof({ weight: 5, arbitrary: good }, parts), { maxLength: 8 }),
  end: fc.option(fc.tuple(bad, good), { nil: [] as Buffer[][] }),
});

/** By the index of a frame, or in the middle of any. */
const cuts = fc.array(fc.oneof(fc.nat({ max: 10 }), fc.double({ min: 0, max: 1, noNaN: true })), {
  maxLength: 5,
});

/** What the app does as it hears of something, with the rest of a read yet to come. */
const acts = fc.record({
  what: fc.constantFrom('nothing', 'nothing', 'pause', 'pauseStream', 'terminate'),
  at: fc.nat({ max: 4 }),
} as const);

/** Above this, a terminated connection may have read less. */
const ONE_READ = 16_000;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function act({ socket }: Joined, { what, at }: { what: string; at: number }): void {
  const { _socket: stream } = internalsOf(socket);
  let heard = 0;
  const hear = (): void => {
    if (heard++ !== at) return;
    if (what === 'terminate') socket.terminate();
    const paused = what === 'pause' ? socket : what === 'pauseStream' ? stream : undefined;
    paused?.pause();
    void turns(5).then(() => paused?.resume());
  };
  for (const event of ['message', 'ping', 'pong']) socket.on(event, hear);
}

function cut(frames: readonly Buffer[], where: readonly number[]): Buffer[] {
  const bytes = Buffer.concat(frames);
  const at = where
    .map((place) =>
      Number.isInteger(place)
        ? Buffer.concat(frames.slice(0, place)).length
        : Math.floor(place * bytes.length),
    )
    .toSorted((a, b) => a - b);
  return [0, ...at]
    .map((from, index) => bytes.subarray(from, at[index]))
    .filter(({ length }) => length > 0);
}

describe.each([NEWEST, LOWEST])('What is read over $name', (copy) => {
  test('is what ws reads, whatever comes and however it is cut', async () => {
    const options = { maxPayload: LIMIT };
    const hosts = [await Host.owned(copy, options), await Host.plain(copy, options)];
    const property = fc.asyncProperty(
      streams,
      cuts,
      acts,
      async ({ frames, end }, where, doing) => {
        const marker = end.length > 0 ? [] : [frame(Opcode.ping, 'last')];
        const all = [...frames.flat(), ...end.flat(), ...marker];
        const pieces = cut(all, where);
        const terminates = doing.what === 'terminate';
        if (terminates && Buffer.concat(all).length > ONE_READ) return;
        const heard = hosts.map(async (host) => {
          const joined = await host.join();
          act(joined, doing);
          await sendApart(joined, pieces);
          const { all: events } = joined.events;
          const isOver = (): boolean => {
            // A terminated one may have nobody left to tell of the last ping.
            const terminated = terminates && events.length > doing.at;
            return events.at(-1) === 'close' || (!terminated && events.at(-1) === 'ping last');
          };
          // oxlint-disable-next-line no-await-in-loop
          while (!isOver()) await joined.events.reached(events.length + 1, 'the end');
          joined.peer.reset();
          return events.map((event) => event.slice(0, 99) + event.length);
        });
        const [owned, plain] = await Promise.all(heard);
        expect(owned).toEqual(plain);
      },
    );
    await fc.assert(property, { numRuns: 150 });
  });

  test('goes by no receiver where it is a short message, whole or cut, or a pong', async () => {
    const host = await Host.owned(copy);
    const joined = await host.join();
    const writes = writesTo(joined.socket);
    const pong = frame(Opcode.pong, 'between');
    joined.peer.send(frame(Opcode.text, 'one'), pong, frame(Opcode.text, 'two'));
    const [third, fourth] = [frame(Opcode.text, 'three'), frame(Opcode.binary, 'four')];
    // The header is kept, and there is nothing else.
    await sendApart(joined, [third.subarray(0, 5), Buffer.concat([third.subarray(5), fourth])]);
    await joined.events.reached(5, 'messages');
    expect(writes).toEqual([]);
    // Of the fifth, ws gets no more than that one.
    const [fifth, sixth] = [frame(Opcode.text, 'five'), frame(Opcode.text, 'six')];
    await sendApart(joined, [fifth.subarray(0, 8), Buffer.concat([fifth.subarray(8), sixth])]);
    await joined.events.reached(7, 'messages');
    expect(Buffer.concat(writes)).toEqual(fifth);
    const texts = [
      'text one',
      'pong between',
      'text two',
      'text three',
      'binary four',
      'text five',
      'text six',
    ];
    expect(joined.events.all).toEqual(texts);
  });

  test('comes in order behind what came with the upgrade', async () => {
    const host = await Host.owned(copy);
    const joined = await host.join([frame(Opcode.text, '1'), frame(Opcode.text, '2')]);
    joined.peer.send(frame(Opcode.text, '3'));
    await joined.events.reached(3, 'messages');
    expect(joined.events.all).toEqual(['text 1', 'text 2', 'text 3']);
  });

  test.each(['owned', 'plain'] as const)(
    'ends while it is paused, as ws does: %s',
    async (make) => {
      const joined = await (await Host[make](copy)).join();
      const { socket, peer, events } = joined;
      socket.pause();
      await sendApart(joined, [text('before the end')]);
      peer.reset();
      await events.reached(2, 'events');
      expect(events.all).toEqual(['text before the end', 'close']);
    },
  );

  test('is in memory of its own', async () => {
    const joined = await (await Host.owned(copy)).join();
    const kept: ArrayBufferLike[] = [];
    joined.socket.on('message', (data: Buffer) => kept.push(data.buffer));
    const long = frame(Opcode.binary, 'x'.repeat(100));
    await sendApart(joined, [
      text('short'),
      long,
      text('cut').subarray(0, 3),
      text('cut').subarray(3),
    ]);
    await joined.events.reached(3, 'messages');
    expect(kept.map(({ byteLength }) => byteLength)).toEqual([5, long.length, 3]);
  });

  test('is all seen by somebody who listens to the stream', async () => {
    const { socket, peer, events } = await (await Host.owned(copy)).join();
    const seen: Buffer[] = [];
    internalsOf(socket)._socket.on('data', (chunk: Buffer) => seen.push(chunk));
    peer.send(frame(Opcode.text, 'message'));
    await events.reached(1, 'message');
    expect(Buffer.concat(seen)).toEqual(frame(Opcode.text, 'message'));
  });

  test('is given to somebody who has taken the place of ws', async () => {
    const { socket, peer, events } = await (await Host.owned(copy)).join();
    const { _socket: stream } = internalsOf(socket);
    stream.removeAllListeners('data');
    const seen = once(stream, 'data');
    peer.send(text('message'));
    expect(await within(seen, 'data')).toEqual([text('message')]);
    expect(events.all).toEqual([]);
  });

  test('is not lost behind a listener that throws', async () => {
    const { socket, peer, events } = await (await Host.owned(copy)).join();
    const read = readerOf(socket);
    socket.once('message', () => {
      throw new Error('of the app');
    });
    const pieces = ['1', '2', '3'].map((name) => text(`message ${name}`));
    const cutOff = pieces[2]!.subarray(0, 8);
    expect(() => read(pieces[0]!, pieces[1]!, cutOff)).toThrow('of the app');
    expect(events.all).toEqual(['text message 1']);
    await turns(1);
    expect(events.all).toEqual(['text message 1', 'text message 2']);
    expect(read(pieces[2]!.subarray(8), text('4'))).toBe(true);
    expect(events.all.slice(2)).toEqual(['text message 3', 'text 4']);
    // Nor overtaken by what is read before that turn.
    socket.once('message', () => {
      throw new Error('of the app');
    });
    expect(() => read(text('5'), text('6'))).toThrow('of the app');
    expect(read(text('7'))).toBe(true);
    await turns(1);
    expect(events.all.slice(4)).toEqual(['text 5', 'text 6', 'text 7']);
    peer.reset();
  });

  test('waits behind what the stream holds while it is paused', async () => {
    const { socket, peer, events } = await (await Host.owned(copy)).join();
    const { _socket: stream } = internalsOf(socket);
    const read = readerOf(socket);
    stream.pause();
    read(text('1'));
    expect(events.all).toEqual([]);
    stream.resume();
    read(text('2'));
    await events.reached(2, 'messages');
    read(text('3'));
    expect(events.all).toEqual(['text 1', 'text 2', 'text 3']);
    peer.reset();
  });

  test('is nothing behind what has failed, also where that waited for a decompressor', async () => {
    const host = await Host.owned(copy, { perMessageDeflate: true });
    const { socket, events } = await host.join([], { extensions: 'permessage-deflate' });
    const { _receiver: receiver } = internalsOf(socket);
    const compressed = deflateRawSync('x'.repeat(1000), { finishFlush: constants.Z_SYNC_FLUSH });
    receiver.write(frame(Opcode.text, compressed.subarray(0, -4), { reserved: 4 }));
    receiver.write(frame(Opcode.text, Buffer.from([0xc3, 0x28])));
    receiver.write(Buffer.concat([text('behind'), frame(Opcode.ping, 'behind')]));
    await events.reached(2, 'events');
    await turns(5);
    const expected = [`text ${'x'.repeat(1000)}`, 'error WS_ERR_INVALID_UTF8'];
    expect(events.all.slice(0, 2)).toEqual(expected);
    expect(events.all.slice(2).filter((event) => event !== 'close')).toEqual([]);
  });

  test('goes by ws where that is told to wait in between', async () => {
    const { socket, peer, events } = await (
      await Host.owned(copy, { allowSynchronousEvents: false })
    ).join();
    const { _socket: stream } = internalsOf(socket);
    expect(stream[fieldOf(stream, 'kBuffer')]).toBeNull();
    peer.send(frame(Opcode.text, '1'), frame(Opcode.text, '2'));
    await events.reached(2, 'messages');
  });
});

describe('readDirectly()', () => {
  const { kBuffer, kBufferCb } = { kBuffer: Symbol('kBuffer'), kBufferCb: Symbol('kBufferCb') };

  test('does nothing with a stream of another make', async () => {
    const { socket } = await (await Host.owned(NEWEST)).join();
    for (const stream of [{}, { [kBuffer]: null, [kBufferCb]: null, _handle: {} }]) {
      const before = { ...stream };
      readDirectly(stream as unknown as Socket, socket);
      expect(stream).toEqual(before);
    }
  });

  test('does nothing with a ws of another make', async () => {
    const { socket } = await (await Host.plain(NEWEST)).join();
    const { _socket: stream, _receiver: receiver } = internalsOf(socket);
    const like = (change: object): object => {
      const prototype = Object.create(Object.getPrototypeOf(receiver) as object) as object;
      return Object.assign(Object.create(prototype) as object, receiver, change);
    };
    for (const other of [null, {}, like({ _state: '0' }), like({ _bufferedBytes: 1 })]) {
      readDirectly(stream, { _receiver: other } as unknown as WebSocket);
      expect(stream[fieldOf(stream, 'kBuffer')]).toBeNull();
    }
  });
});
