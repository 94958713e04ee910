/* oxlint-disable no-underscore-dangle -- Node's and ws's own names. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { executionAsyncId } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, deflateRawSync } from 'node:zlib';
import type { WebSocket } from 'ws';
import { frame, Opcode } from '../support/clients/frames.js';
import { within } from '../support/waiting.js';
import { Host, type Joined } from './host.js';
import { LOWEST, NEWEST, type WsCopy } from './pairs.js';

const { Z_SYNC_FLUSH } = constants;
const COMPRESSED = 4;
const LIMIT = 80_000;
const MASK = Buffer.from([0x81, 0x85, 0x12, 0xff]);

interface Jobs {
  write: (...args: unknown[]) => void;
  writeSync: (...args: unknown[]) => void;
}

interface ZlibStream {
  readonly _handle: Jobs;
  _defaultFlushFlag: number | undefined;
}

interface Deflate {
  _deflate: ZlibStream | null;
  _inflate: ZlibStream | null;
}

function deflateOf(socket: WebSocket): Deflate {
  const { _extensions: extensions } = socket as unknown as {
    _extensions: { 'permessage-deflate': Deflate };
  };
  return extensions['permessage-deflate'];
}

const WINDOW = 32 * 1024;

/** What a peer compresses with, which refers to what it has sent before. */
class Compressor {
  #window = Buffer.alloc(0);

  constructor(private readonly keepsContext: boolean) {}

  payloadOf(message: Buffer): Buffer {
    if (message.length === 0) return Buffer.from([0]);
    const dictionary = this.#window.length > 0 ? { dictionary: this.#window } : {};
    if (this.keepsContext) this.#window = Buffer.concat([this.#window, message]).subarray(-WINDOW);
    return deflateRawSync(message, { finishFlush: Z_SYNC_FLUSH, ...dictionary }).subarray(0, -4);
  }

  /** With nothing after it in the stream (RFC 7692 §7.2.3.4). */
  lastOf(message: Buffer): Buffer {
    this.#window = Buffer.alloc(0);
    return Buffer.concat([deflateRawSync(message), Buffer.from([0])]);
  }
}

interface Message {
  readonly content: Buffer;
  readonly binary: boolean;
  readonly how: 'compressed' | 'plain' | 'last' | 'garbage';
  /** Where its payload is cut into fragments, of all of it. */
  readonly cuts: readonly number[];
}

const content = fc.oneof(
  fc.string({ maxLength: 300 }).map((text) => Buffer.from(text)),
  fc.integer({ min: 0, max: 20_000 }).map((length) => Buffer.alloc(length, 'some text, again. ')),
  // It takes a few bytes and becomes many.
  fc.integer({ min: 15_000, max: LIMIT + 2000 }).map((length) => Buffer.alloc(length, 'x')),
  fc
    .uint8Array({ minLength: 3900, maxLength: 4100 })
    .map((bytes) => Buffer.from(Buffer.from(bytes).toString('hex'))),
);
const message: fc.Arbitrary<Message> = fc.record({
  content,
  binary: fc.boolean(),
  how: fc.oneof(
    { weight: 8, arbitrary: fc.constant('compressed' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('plain' as const, 'last' as const, 'garbage' as const),
    },
  ),
  cuts: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
  ),
});

function payloadOf({ how, content: data }: Message, compressor: Compressor): Buffer {
  if (how === 'compressed') return compressor.payloadOf(data);
  if (how === 'last') return compressor.lastOf(data);
  return how === 'plain' ? data : Buffer.concat([Buffer.from([0xff, 0xff]), data]);
}

function framesOf(sent: Message, compressor: Compressor): Buffer[] {
  const payload = payloadOf(sent, compressor);
  const at = sent.cuts.map((cut) => Math.floor(cut * payload.length)).toSorted((a, b) => a - b);
  return [0, ...at].map((from, index) => {
    const first = sent.binary ? Opcode.binary : Opcode.text;
    return frame(index === 0 ? first : Opcode.continuation, payload.subarray(from, at[index]), {
      mask: MASK,
      fin: index === at.length,
      reserved: index === 0 && sent.how !== 'plain' ? COMPRESSED : 0,
    });
  });
}

/** Until it has answered the last ping, or is closed. */
async function eventsOf({ peer, events }: Joined, bytes: Buffer): Promise<string[]> {
  peer.send(bytes, frame(Opcode.ping, 'last'));
  const { all } = events;
  while (all.at(-1) !== 'close' && all.at(-1) !== 'ping last') {
    // oxlint-disable-next-line no-await-in-loop
    await events.reached(all.length + 1, 'the end');
  }
  peer.reset();
  return all.map((event) => event.slice(0, 99) + event.length);
}

function hostOf(kind: 'owned' | 'plain', copy: WsCopy): Promise<Host> {
  const perMessageDeflate = { threshold: 0 };
  return Host[kind](copy, { perMessageDeflate, maxPayload: LIMIT });
}

/** Counts the jobs of a stream, in threads and at once. */
function countJobs(stream: ZlibStream | null): { threads: number; atOnce: number } {
  const jobs = { threads: 0, atOnce: 0 };
  const handle = stream!._handle;
  const { write, writeSync } = handle;
  handle.write = (...args) => {
    jobs.threads++;
    write.apply(handle, args);
  };
  handle.writeSync = (...args) => {
    jobs.atOnce++;
    writeSync.apply(handle, args);
  };
  return jobs;
}

function compressed(compressor: Compressor, text: string): Buffer {
  return frame(Opcode.text, compressor.payloadOf(Buffer.from(text)), { reserved: COMPRESSED });
}

const OFFERS = ['permessage-deflate', 'permessage-deflate; client_no_context_takeover'];

describe.each([NEWEST, LOWEST])('What comes compressed over $name', (copy) => {
  test.each(OFFERS)('is what ws reads, %s', async (extensions) => {
    const hosts = await Promise.all([hostOf('owned', copy), hostOf('plain', copy)]);
    const property = fc.asyncProperty(fc.array(message, { maxLength: 8 }), async (messages) => {
      const compressor = new Compressor(extensions === OFFERS[0]);
      const bytes = Buffer.concat(messages.flatMap((sent) => framesOf(sent, compressor)));
      const [ours, theirs] = await Promise.all(
        hosts.map(async (host) => eventsOf(await host.join([], { extensions }), bytes)),
      );
      expect(heard(ours)).toEqual(heard(theirs));
    });
    await fc.assert(property, { numRuns: 150 });
  });

  /** Where a message inflates to too much, ws 8.17 says that it is wrong. */
  function heard(events: readonly string[] | undefined): string[] | undefined {
    if (copy === NEWEST) return events?.slice();
    return events?.map((event) => (event.startsWith('error') ? 'error' : event));
  }

  async function joined(): Promise<{ joined: Joined; compressor: Compressor }> {
    const host = await hostOf('owned', copy);
    const pair = await host.join([], { extensions: OFFERS[0]! });
    return { joined: pair, compressor: new Compressor(true) };
  }

  test('takes no thread where it is small, and one job where it is not', async () => {
    const {
      joined: { peer, socket, events },
      compressor,
    } = await joined();
    peer.send(compressed(compressor, 'first'));
    await events.reached(1, 'the first message');
    const jobs = countJobs(deflateOf(socket)._inflate);
    for (const text of ['small', 'small again', 'x'.repeat(10_000)]) {
      peer.send(compressed(compressor, text));
    }
    await events.reached(4, 'small messages');
    expect(jobs).toEqual({ threads: 0, atOnce: 3 });
    const large = randomBytes(5000);
    peer.send(compressed(compressor, large.toString('hex')), compressed(compressor, 'small'));
    await events.reached(6, 'a large one');
    expect(jobs).toEqual({ threads: 1, atOnce: 4 });
  });

  test.each([true, false])(
    'leaves others a turn behind each, synchronous events %s',
    async (may) => {
      const options = { perMessageDeflate: true, allowSynchronousEvents: may };
      const { peer, socket } = await (
        await Host.owned(copy, options)
      ).join([], { extensions: OFFERS[0]! });
      const compressor = new Compressor(true);
      const texts = ['one', 'two', 'three', 'four'];
      let turn = 0;
      const turns: number[] = [];
      const next = (): void => {
        turn++;
        if (turns.length < texts.length) setImmediate(next);
      };
      next();
      socket.on('message', () => turns.push(turn));
      peer.send(...texts.map((text) => compressed(compressor, text)));
      const got: string[] = [];
      while (got.length < texts.length) {
        // oxlint-disable-next-line no-await-in-loop
        const [data] = (await within(once(socket, 'message'), 'a message')) as [Buffer];
        got.push(data.toString());
      }
      expect(got).toEqual(texts);
      expect(new Set(turns).size).toBe(texts.length);
    },
  );

  test('is told in the async context of its connection', async () => {
    const host = await hostOf('owned', copy);
    const contextsOf = async (): Promise<number[]> => {
      const { peer, socket, events } = await host.join([], { extensions: OFFERS[0]! });
      const ids: number[] = [];
      socket.on('message', () => ids.push(executionAsyncId()));
      const compressor = new Compressor(true);
      peer.send(...['one', 'two'].map((text) => compressed(compressor, text)));
      await events.reached(2, 'both');
      return ids;
    };
    const [first, again] = await contextsOf();
    const [other, later] = await contextsOf();
    expect([again, later]).toEqual([first, other]);
    expect(first).not.toBe(other);
  });

  test('becomes no more at once than fits, and the rest in a thread', async () => {
    const {
      joined: { peer, socket, events },
      compressor,
    } = await joined();
    peer.send(compressed(compressor, 'first'));
    await events.reached(1, 'the first message');
    const jobs = countJobs(deflateOf(socket)._inflate);
    const text = 'x'.repeat(LIMIT);
    peer.send(compressed(compressor, text), compressed(compressor, 'small'));
    await events.reached(3, 'both');
    expect(events.all).toEqual(['text first', `text ${text}`, 'text small']);
    expect(jobs.atOnce).toBe(2);
    expect(jobs.threads).toBeGreaterThan(0);
  });

  test.each([10, 6000])(
    'goes on behind a last one of %i bytes, in a new stream',
    async (length) => {
      const {
        joined: { peer, events },
        compressor,
      } = await joined();
      const text = randomBytes(length).toString('hex');
      const last = frame(Opcode.text, compressor.lastOf(Buffer.from(text)), {
        reserved: COMPRESSED,
      });
      peer.send(last, compressed(compressor, 'behind'), compressed(compressor, 'more'));
      await events.reached(3, 'all');
      expect(events.all).toEqual([`text ${text}`, 'text behind', 'text more']);
    },
  );

  test('is read by ws where Node does not work as it is known to', async () => {
    const {
      joined: { peer, socket, events },
      compressor,
    } = await joined();
    const deflate = deflateOf(socket);
    let made: ZlibStream | null = null;
    // The field is asked for once, as the stream is put into it.
    const descriptor = Object.getOwnPropertyDescriptor(deflate, '_inflate')!;
    Object.defineProperty(deflate, '_inflate', {
      ...descriptor,
      set(stream: ZlibStream | null) {
        made = stream;
        if (stream) stream._defaultFlushFlag = undefined;
        descriptor.set!.call(deflate, stream);
        if (stream) stream._defaultFlushFlag = constants.Z_NO_FLUSH;
      },
    });
    peer.send(compressed(compressor, 'first'));
    await events.reached(1, 'the first message');
    const jobs = countJobs(made);
    peer.send(compressed(compressor, 'second'));
    await events.reached(2, 'the second message');
    expect(events.all).toEqual(['text first', 'text second']);
    expect(jobs).toEqual({ threads: 3, atOnce: 0 });
  });

  test('a message that ws compresses is one job, and one without content is still a message', async () => {
    const {
      joined: { socket, peer },
    } = await joined();
    const text = 'some text '.repeat(500);
    await new Promise((resolve) => socket.send(text, resolve));
    const jobs = countJobs(deflateOf(socket)._deflate);
    await new Promise((resolve) => socket.send(text, resolve));
    expect(jobs.threads).toBe(1);
    const nothing = new ArrayBuffer(0);
    for (const data of [nothing, text, nothing, nothing]) {
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => socket.send(data, resolve));
    }
    await peer.frames.reached(6, 'all messages');
    expect(peer.frames.all.every(({ payload }) => payload.length > 0)).toBe(true);
  });
});
