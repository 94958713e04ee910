/* oxlint-disable no-underscore-dangle -- Node's own names. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { DirectWriter } from '../../src/ws/direct-writer.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';
import { socketPair } from './sockets.js';

type WriteBuffer = (...args: unknown[]) => number;

interface Handle {
  writeBuffer: WriteBuffer | undefined;
  readonly writeQueueSize: number;
}

function handleOf(socket: Socket): Handle {
  return (socket as unknown as { _handle: Handle })._handle;
}

/** More than the kernel keeps for a peer that reads nothing. */
const TOO_MUCH = 16 * 1024 * 1024;

class Pair {
  readonly #chunks: Buffer[] = [];
  #received = 0;
  /** Writes that the stream itself has made. */
  streamWrites = 0;

  constructor(
    readonly server: Socket,
    readonly client: Socket,
  ) {}

  static async make(): Promise<Pair> {
    const { server, client } = await socketPair();
    return new Pair(server, client);
  }

  /** Which nobody else may do. */
  countWritesOfStream(): void {
    const write = this.server._write.bind(this.server);
    this.server._write = (...args) => {
      this.streamWrites++;
      write(...args);
    };
  }

  read(): void {
    this.client.on('data', (data: Buffer) => {
      this.#chunks.push(data);
      this.#received += data.length;
    });
  }

  async receives(bytes: number): Promise<string> {
    while (this.#received < bytes) await within(once(this.client, 'data'), 'more data');
    return Buffer.concat(this.#chunks).toString('latin1');
  }
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** One that has learnt how Node writes. */
async function learned(): Promise<DirectWriter> {
  const writer = new DirectWriter();
  const { server } = await Pair.make();
  writer.write(server, bytesOf('first'));
  return writer;
}

describe('DirectWriter', () => {
  let pair: Pair;
  let writer: DirectWriter;
  beforeEach(async () => {
    pair = await Pair.make();
    writer = await learned();
  });

  test('has its first write made by Node, and those behind it without the stream', async () => {
    const fresh = new DirectWriter();
    const { server } = pair;
    pair.read();
    expect(fresh.write(server, bytesOf('one'))).toBe(false);
    expect(fresh.write(server, bytesOf('two'))).toBe(true);
    expect(fresh.write(server, bytesOf('three'))).toBe(true);
    expect(await pair.receives(11)).toBe('onetwothree');
    expect([server.bytesWritten, Object.hasOwn(handleOf(server), 'writeBuffer')]).toEqual([
      11,
      false,
    ]);
  });

  test('makes what the kernel does not take a write of the stream', async () => {
    const { server } = pair;
    const big = Buffer.alloc(TOO_MUCH, 'x');
    expect(writer.write(server, big)).toBe(false);
    expect(server.writableLength).toBe(TOO_MUCH);
    expect(handleOf(server).writeQueueSize).toBeGreaterThan(0);
    // What comes behind it waits for it.
    expect(writer.write(server, bytesOf('behind'))).toBe(false);
    expect(server.writableLength).toBe(TOO_MUCH + 6);
    const written = new Promise((resolve) => server.write('last', resolve));
    pair.read();
    const received = await pair.receives(TOO_MUCH + 10);
    expect(received.slice(TOO_MUCH)).toBe('behindlast');
    expect(await written).toBeFalsy();
    expect([server.writableLength, server.bytesWritten]).toEqual([0, TOO_MUCH + 10]);
    expect(writer.write(server, bytesOf('again'))).toBe(true);
    expect((await pair.receives(TOO_MUCH + 15)).endsWith('again')).toBe(true);
  });

  test('tells of what it has not taken at once, and of nothing else', async () => {
    const { server } = pair;
    const told = new Tally<string>();
    const write = (by: DirectWriter, name: string, bytes: Buffer): boolean =>
      by.write(server, bytes, (error) => told.add(error ? `${name} failed` : name));
    expect(write(new DirectWriter(), 'the first', bytesOf('1'))).toBe(false);
    await told.reached(1, 'callback');
    expect(write(writer, 'at once', bytesOf('2'))).toBe(true);
    expect(write(writer, 'too much', Buffer.alloc(TOO_MUCH, 'x'))).toBe(false);
    expect(write(writer, 'behind', bytesOf('3'))).toBe(false);
    await nextMacrotask();
    expect(told.all).toEqual(['the first']);
    pair.read();
    await told.reached(3, 'callback');
    const handle = handleOf(server);
    const { writeBuffer } = handle;
    handle.writeBuffer = (...args) => writeBuffer!.apply(handle, args);
    expect(write(writer, 'by another way', bytesOf('4'))).toBe(false);
    await told.reached(4, 'callback');
    expect(told.all).toEqual(['the first', 'too much', 'behind', 'by another way']);
    expect((await pair.receives(TOO_MUCH + 4)).slice(-2)).toBe('34');
  });

  test('learns from a first write that has to wait, too', async () => {
    const fresh = new DirectWriter();
    expect(fresh.write(pair.server, Buffer.alloc(TOO_MUCH))).toBe(false);
    const other = await Pair.make();
    expect(fresh.write(other.server, bytesOf('a'))).toBe(true);
  });

  test('a write that waits ends with the socket, as that of any stream', async () => {
    const other = await Pair.make();
    writer.write(pair.server, Buffer.alloc(TOO_MUCH));
    other.server.write(Buffer.alloc(TOO_MUCH));
    const told = [pair, other].map(
      ({ server }) => new Promise<unknown>((resolve) => server.write('behind', resolve)),
    );
    for (const { server } of [pair, other]) server.destroy();
    const [ours, theirs] = await within(Promise.all(told), 'the callbacks');
    expect(ours).toMatchObject({ code: expect.any(String) });
    expect(ours).toEqual(theirs);
  });

  test('a write that waits fails as that of any stream', async () => {
    const { server, client } = pair;
    writer.write(server, Buffer.alloc(TOO_MUCH));
    expect(server.writableLength).toBe(TOO_MUCH);
    const failed = once(server, 'error');
    client.resetAndDestroy();
    const [error] = (await within(failed, 'an error')) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/^(ECONNRESET|EPIPE)$/);
  });

  test('a write that fails at once destroys the stream with what the system said', async () => {
    const { server } = pair;
    // The peer is gone, and nothing was read that says so.
    server.pause();
    pair.client.resetAndDestroy();
    await once(pair.client, 'close');
    const failed = once(server, 'error');
    expect(writer.write(server, bytesOf('too late'))).toBe(false);
    expect(server.errored).toMatchObject({ syscall: 'write' });
    const [error] = (await within(failed, 'an error')) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/^(ECONNRESET|EPIPE)$/);
    // Nothing of it is left for others.
    const other = await Pair.make();
    expect(writer.write(other.server, bytesOf('a'))).toBe(true);
  });

  test('leaves to the stream what it has to see', async () => {
    const { server } = pair;
    pair.read();
    server.cork();
    expect(writer.write(server, bytesOf('a'))).toBe(false);
    expect(server.writableLength).toBe(1);
    server.uncork();
    await nextMacrotask();
    server.setTimeout(60_000);
    expect(writer.write(server, bytesOf('b'))).toBe(false);
    server.setTimeout(0);
    expect(writer.write(server, bytesOf('c'))).toBe(true);
    pair.countWritesOfStream();
    expect(writer.write(server, bytesOf('d'))).toBe(false);
    expect(pair.streamWrites).toBe(1);
    expect(await pair.receives(4)).toBe('abcd');
  });

  test('serves the sockets of Node, as they are', async () => {
    const { server } = pair;
    expect(DirectWriter.serves(server)).toBe(true);
    expect(DirectWriter.serves(new PassThrough())).toBe(false);
    server.write = server.write.bind(server);
    expect(DirectWriter.serves(server)).toBe(false);
  });

  test('uses no other way to write than the one it has learnt', async () => {
    const { server } = pair;
    const handle = handleOf(server);
    const { writeBuffer } = handle;
    let writes = 0;
    handle.writeBuffer = (...args) => {
      writes++;
      return writeBuffer!.apply(handle, args);
    };
    pair.read();
    const fresh = new DirectWriter();
    for (const each of [writer, fresh]) expect(each.write(server, bytesOf('seen'))).toBe(false);
    expect(await pair.receives(8)).toBe('seenseen');
    expect([writes, Object.hasOwn(handle, 'writeBuffer')]).toEqual([2, true]);
  });

  /** What a version of Node may do that is not known here. */
  const strange: Record<string, (theirs: WriteBuffer) => WriteBuffer> = {
    'a request that says nothing of itself': (theirs) => (request, data) => {
      Object.defineProperty(request, 'getAsyncId', { value: undefined });
      return theirs(request, data);
    },
    'a request without a callback': (theirs) => (request, data) => {
      const { oncomplete } = request as { oncomplete: unknown };
      (request as { oncomplete: unknown }).oncomplete = undefined;
      const result = theirs(request, data);
      (request as { oncomplete: unknown }).oncomplete = oncomplete;
      return result;
    },
    'a request with a number from the beginning': (theirs) => (request, data) => {
      const { constructor } = request as object;
      Object.defineProperty(request, 'constructor', {
        value: class {
          oncomplete = null;
          getAsyncId(): number {
            return constructor.length + 1;
          }
        },
      });
      return theirs(request, data);
    },
  };

  test.each(Object.keys(strange))('leaves all to Node where it uses %s', async (name) => {
    const { server } = pair;
    const fresh = new DirectWriter();
    const prototype = Object.getPrototypeOf(Object.getPrototypeOf(handleOf(server))) as Handle;
    const { writeBuffer } = prototype;
    expect(writeBuffer).toBeDefined();
    prototype.writeBuffer = function (this: Handle, ...args) {
      return strange[name]!((...rest) => writeBuffer!.apply(this, rest))(...args);
    };
    try {
      fresh.write(server, bytesOf('one'));
    } finally {
      prototype.writeBuffer = writeBuffer;
    }
    pair.read();
    expect(fresh.write(server, bytesOf('two'))).toBe(false);
    expect(fresh.write(server, bytesOf('three'))).toBe(false);
    expect(await pair.receives(11)).toBe('onetwothree');
  });

  test('all arrives in order, whatever is written by whom, and however it is read', async () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant('direct' as const),
        length: fc.integer({ min: 1, max: 300_000 }),
      }),
      fc.record({
        do: fc.constant('stream' as const),
        length: fc.integer({ min: 1, max: 300_000 }),
      }),
      fc.record({ do: fc.constantFrom('cork', 'uncork', 'pause', 'resume', 'turn') }),
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { server, client } = await Pair.make();
      const sent: Buffer[] = [];
      const chunks: Buffer[] = [];
      client.on('data', (data: Buffer) => chunks.push(data));
      for (const [index, action] of steps.entries()) {
        if ('length' in action) {
          const bytes = Buffer.alloc(action.length, `${index},`);
          sent.push(bytes);
          if (action.do === 'direct') writer.write(server, bytes);
          else server.write(bytes);
        } else if (action.do === 'cork') server.cork();
        else if (action.do === 'uncork') server.uncork();
        else if (action.do === 'turn') await nextMacrotask();
        else client[action.do]();
      }
      client.resume();
      const ended = once(client, 'end');
      server.end();
      await within(ended, 'the end');
      expect(Buffer.concat(chunks).equals(Buffer.concat(sent))).toBe(true);
      server.destroy();
      client.destroy();
    });
    await fc.assert(property, { numRuns: 60 });
  });
});
