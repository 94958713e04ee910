/* oxlint-disable no-underscore-dangle -- Node's own names. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { setImmediate as macrotask } from 'node:timers/promises';
import { FrameChunk } from '../../src/ws/frame-chunk.js';
import { FrameBatch } from '../../src/ws/frame-batch.js';
import { BINARY, TEXT } from '../../src/ws/frame.js';
import { socketPair } from './sockets.js';

interface Report {
  readonly error: Error | undefined;
  readonly frames: number;
}

/** A real pair of sockets, and, where it is watched, every write that reaches the stream itself. */
class Pair {
  readonly written: Buffer[] = [];
  readonly reports: Report[] = [];
  readonly batch: FrameBatch;
  /** Called with each report. */
  told: (() => void) | undefined;
  readonly #chunks: Buffer[] = [];
  #received = 0;

  constructor(
    readonly server: Socket,
    readonly client: Socket,
    watched: boolean,
  ) {
    if (watched) this.#watchWrites();
    this.batch = new FrameBatch(server, (error, frames) => {
      this.reports.push({ error: error ?? undefined, frames });
      this.told?.();
    });
    client.on('data', (data: Buffer) => {
      this.#chunks.push(data);
      this.#received += data.length;
    });
  }

  /** As the stream itself writes then, to which nothing has to be held back. */
  #watchWrites(): void {
    const { server, written } = this;
    const write = server._write.bind(server);
    const writev = server._writev!.bind(server);
    server._write = (chunk: Buffer, ...rest) => {
      written.push(chunk);
      write(chunk, ...rest);
    };
    server._writev = (chunks: { chunk: Buffer }[], callback) => {
      written.push(...chunks.map(({ chunk }) => chunk));
      writev(chunks as Parameters<typeof writev>[0], callback);
    };
  }

  static async make({ watched = true } = {}): Promise<Pair> {
    const { server, client } = await socketPair();
    return new Pair(server, client, watched);
  }

  get writes(): number[] {
    return this.written.map((chunk) => chunk.length);
  }

  async receives(bytes: number): Promise<string> {
    while (this.#received < bytes) await once(this.client, 'data');
    return Buffer.concat(this.#chunks).toString('latin1');
  }
}

/** Of one byte each. */
const [ONE, TWO] = ['a', 'b'].map((text) => Buffer.from(`\x81\x01${text}`, 'latin1'));

/** With its header. */
function framed(length: number): number {
  return length + (length < 65_536 ? 4 : 10);
}

/** Until a frame is not held any more. */
const LONE_TICKS = 8;

describe('A frame that most likely is the only one of its tick', () => {
  let pair: Pair;
  let turns: number;

  /** One a tick, until one is taken at once. */
  const untilTaken = async (): Promise<void> => {
    for (turns = 0; pair.batch.add(TEXT, 'a') === 'pending'; turns++) {
      if (turns > 10 * LONE_TICKS) throw new Error('None was taken at once.');
      await macrotask();
    }
    await macrotask();
    pair.reports.length = 0;
  };

  beforeEach(async () => {
    pair = await Pair.make({ watched: false });
  });

  test('is written at once, reported by what add() returns, and counts as a tick', async () => {
    await untilTaken();
    expect(turns).toBe(LONE_TICKS);
    const { tick } = pair.batch;
    expect(pair.batch.add(BINARY, Buffer.from('b'))).toBe('taken');
    expect([pair.batch.tick - tick, pair.batch.bufferedAmount]).toEqual([1, 0]);
    await macrotask();
    expect(pair.batch.addShared(TWO!)).toBe('taken');
    await macrotask();
    expect(pair.batch.add(TEXT, 'c'.repeat(5000))).toBe('taken');
    // So that the kernel has room for it.
    await pair.receives(3 * (turns + 1) + 6 + framed(5000));
    expect(pair.batch.add(TEXT, 'd'.repeat(70_000))).toBe('taken');
    await macrotask();
    expect(pair.reports).toEqual([]);
    const all = await pair.receives(3 * (turns + 1) + 6 + framed(5000) + framed(70_000));
    expect(all.slice(3 * (turns + 1), 3 * (turns + 1) + 6)).toBe('\x82\x01b\x81\x01b');
    expect(all.endsWith('d'.repeat(70_000))).toBe(true);
  });

  test('is held once another of its tick came, and so are those of the next ticks', async () => {
    await untilTaken();
    expect(['a', 'b', 'c'].map((text) => pair.batch.add(TEXT, text))).toEqual([
      'taken',
      'pending',
      'pending',
    ]);
    expect(pair.batch.bytes).toBe(6);
    await macrotask();
    expect(pair.reports).toEqual([{ error: undefined, frames: 2 }]);
    await untilTaken();
    expect(turns).toBe(LONE_TICKS);
    // Of a tick that had but one more, too.
    expect(['a', 'b'].map((text) => pair.batch.add(TEXT, text))).toEqual(['taken', 'pending']);
    await macrotask();
    await untilTaken();
    expect(turns).toBe(LONE_TICKS);
  });

  test('is held where two a tick came before', async () => {
    for (let tick = 0; tick < 2 * LONE_TICKS; tick++) {
      expect(pair.batch.add(TEXT, 'a')).toBe('pending');
      expect(pair.batch.add(TEXT, 'b')).toBe('pending');
      await macrotask();
    }
  });

  test('keeps its order among what is written by another way', async () => {
    await untilTaken();
    const before = 3 * (turns + 1);
    pair.server.cork();
    pair.server.write('first');
    expect(pair.batch.add(TEXT, 'b')).toBe('pending');
    pair.server.uncork();
    await macrotask();
    await untilTaken();
    // The one that was held counts.
    expect(turns).toBe(LONE_TICKS - 1);
    const text = await pair.receives(before + 5 + 3 * (turns + 2));
    expect(text.slice(before, before + 8)).toBe('first\x81\x01b');
  });

  test('that the kernel does not take is reported once it has, and none behind it is before', async () => {
    await untilTaken();
    pair.client.pause();
    const big = 'x'.repeat(4 * 1024 * 1024);
    let sent = 0;
    while (pair.batch.add(TEXT, big) === 'taken') {
      sent++;
      await macrotask();
    }
    expect(pair.batch.add(TEXT, 'behind')).toBe('pending');
    await macrotask();
    expect(pair.batch.add(TEXT, 'too')).toBe('pending');
    await macrotask();
    expect(pair.reports).toEqual([]);
    expect(pair.batch.bufferedAmount).toBeGreaterThan(0);
    pair.client.resume();
    await pair.receives(3 * (turns + 1) + (sent + 1) * framed(big.length) + 8 + 5);
    while (pair.reports.length < 2) await macrotask();
    expect(pair.reports).toEqual([
      { error: undefined, frames: 2 },
      { error: undefined, frames: 1 },
    ]);
  });

  test.each<[string, (server: Socket) => void]>([
    ['ended', (server) => server.end()],
    ['destroyed', (server) => server.destroy()],
  ])('is reported as failed where its socket was %s', async (_how, end) => {
    await untilTaken();
    end(pair.server);
    expect(pair.batch.add(TEXT, 'too late')).toBe('pending');
    expect(pair.reports).toEqual([]);
    await macrotask();
    expect(pair.reports.map(({ frames, error }) => [frames, error?.message])).toEqual([
      [1, 'The socket was ended first.'],
    ]);
  });

  test('goes by a write() that somebody puts there later, as what is held does', async () => {
    const seen: Buffer[] = [];
    const write = pair.server.write.bind(pair.server) as (...args: unknown[]) => boolean;
    pair.batch.add(TEXT, 'held');
    pair.server.write = (chunk: Buffer, ...rest: unknown[]) => {
      seen.push(chunk);
      return write(chunk, ...rest);
    };
    expect(pair.batch.direct).toBe(false);
    await macrotask();
    for (let tick = 0; tick < 2 * LONE_TICKS; tick++) {
      expect(pair.batch.add(TEXT, String.fromCodePoint(97 + tick))).toBe('pending');
      await macrotask();
    }
    const sent = await pair.receives(6 + 3 * 2 * LONE_TICKS);
    expect(sent.replaceAll(/[\x80-\xff]./g, '')).toBe('heldabcdefghijklmnop');
    // Who keeps what is written finds it unchanged.
    expect(Buffer.concat(seen).toString('latin1')).toBe(sent);
  });

  test('ends its socket where that write() throws', async () => {
    pair.batch.add(TEXT, 'a');
    const failure = new Error('no');
    pair.server.write = () => {
      throw failure;
    };
    const failed = once(pair.server, 'error');
    await macrotask();
    expect(await failed).toEqual([failure]);
    expect(pair.reports.map(({ frames, error }) => [frames, error?.message])).toEqual([
      [1, 'The socket was ended first.'],
    ]);
  });

  test('is held as long as others are to be reported, though the kernel has them', async () => {
    await untilTaken();
    pair.client.pause();
    const big = 'x'.repeat(4 * 1024 * 1024);
    while (pair.batch.add(TEXT, big) === 'taken') await macrotask();
    await macrotask();
    // More in a row than count.
    for (let tick = 0; tick < 2 * LONE_TICKS; tick++) {
      expect(pair.batch.add(TEXT, 'behind')).toBe('pending');
      await macrotask();
    }
    expect(pair.reports).toEqual([]);
    // Emitted before the callbacks of what was written are called.
    const drained = new Promise<[number, unknown]>((resolve) => {
      pair.server.once('drain', () => {
        resolve([pair.server.writableLength, pair.batch.add(TEXT, 'drained')]);
      });
    });
    pair.client.resume();
    expect(await drained).toEqual([0, 'pending']);
    await macrotask();
    while (pair.reports.length < 2 * LONE_TICKS + 2) await macrotask();
    expect(pair.batch.add(TEXT, 'alone again')).toBe('taken');
  });
});

describe('The frames of one tick', () => {
  let pair: Pair;
  beforeEach(async () => {
    pair = await Pair.make();
  });

  test('are one write, reported in one once the kernel has taken it', async () => {
    for (const data of ['a', 'bb', 'ccc']) pair.batch.add(TEXT, data);
    pair.batch.add(BINARY, Buffer.from('d'));
    expect([pair.writes, pair.batch.bytes]).toEqual([[], 3 + 4 + 5 + 3]);
    await macrotask();
    expect(pair.writes).toEqual([15]);
    expect(pair.batch.bytes).toBe(0);
    expect(pair.reports).toEqual([{ error: undefined, frames: 4 }]);
    expect(await pair.receives(15)).toBe('\x81\x01a\x81\x02bb\x81\x03ccc\x82\x01d');
  });

  test('of the same text are the same, also as binary frames, and to others', async () => {
    const other = await Pair.make();
    for (let time = 0; time < 3; time++)
      for (const { batch } of [pair, other]) batch.add(TEXT, 'same');
    for (let time = 0; time < 3; time++) pair.batch.add(BINARY, 'same');
    expect(await pair.receives(36)).toBe('\x81\x04same'.repeat(3) + '\x82\x04same'.repeat(3));
    expect(await other.receives(18)).toBe('\x81\x04same'.repeat(3));
  });

  test('that others send, too, keep their order among those that they do not', async () => {
    const other = await Pair.make();
    const [one, two] = ['one', 'two'].map((text) => Buffer.from(`\x81\x03${text}`, 'latin1'));
    for (const { batch } of [pair, other]) for (const frame of [one!, two!]) batch.addShared(frame);
    pair.batch.add(TEXT, 'own');
    for (const { batch } of [pair, other]) batch.addShared(one!);
    expect([pair.batch.bytes, other.batch.bufferedAmount]).toEqual([20, 15]);
    expect(await pair.receives(20)).toBe('\x81\x03one\x81\x03two\x81\x03own\x81\x03one');
    expect(await other.receives(15)).toBe('\x81\x03one\x81\x03two\x81\x03one');
    expect([pair.writes, other.writes]).toEqual([[20], [15]]);
    expect(pair.reports).toEqual([{ error: undefined, frames: 4 }]);
  });

  test('that others send, too, are written where they come to more than a chunk', async () => {
    const frame = Buffer.alloc(10_000, 'x');
    for (let time = 0; time < 2; time++) pair.batch.addShared(frame);
    expect(pair.writes).toEqual([10_000]);
    pair.batch.addShared(Buffer.alloc(5000, 'x'));
    pair.batch.add(TEXT, 'y'.repeat(1000));
    expect(pair.writes).toEqual([10_000, 15_000]);
    pair.batch.addShared(Buffer.alloc(20_000, 'z'));
    // Longer than a chunk, so that nothing is put beside it.
    expect(pair.writes).toEqual([10_000, 15_000, 1004, 20_000]);
    await macrotask();
    const text = await pair.receives(46_004);
    expect(text.replaceAll(/(.)\1+/g, '$1')).toBe('x\x81~\x03\u00e8yz');
    expect(pair.reports).toEqual([{ error: undefined, frames: 5 }]);
  });

  test('of a long text that is sent again are made once for all, whatever its length', async () => {
    const other = await Pair.make();
    const [long, longer] = ['x'.repeat(50_000), 'y'.repeat(100_000)];
    for (const text of [long, longer]) {
      for (const { batch } of [pair, other, pair]) expect(batch.add(TEXT, text)).toBe('pending');
      pair.batch.add(BINARY, text);
    }
    // Before the tick is over, as nothing fits beside them.
    expect(pair.writes).toEqual([50_004, 50_004, 50_004, 100_010, 100_010, 100_010]);
    expect(other.writes).toEqual([50_004, 100_010]);
    // In memory that is used again as long as nobody knows that there will be others.
    expect(other.written[0]).toBe(pair.written[1]);
    expect(pair.written[1]).not.toBe(pair.written[0]);
    expect(new Set([...pair.written.slice(3, 5), other.written[1]]).size).toBe(1);
    const all = `\x81\x7e\xc3\x50${long}\x81\x7f\0\0\0\0\0\x01\x86\xa0${longer}`;
    expect((await other.receives(150_014)) === all).toBe(true);
    expect((await pair.receives(450_042)).slice(-100_010, -99_999)).toBe(
      '\x82\x7f\0\0\0\0\0\x01\x86\xa0y',
    );
    expect(pair.reports).toEqual([{ error: undefined, frames: 6 }]);
  });

  test('of longer texts leave at once, behind what is held, and their memory is used again', async () => {
    pair.batch.add(TEXT, 'held');
    const texts = [4097, 5459, 16_380, 40_000, 65_536].map((length, index) =>
      String(index).repeat(length),
    );
    for (const text of texts) {
      pair.batch.add(TEXT, text);
      expect(pair.batch.bytes).toBe(0);
      pair.batch.add(TEXT, text.replaceAll(/./g, '+'));
    }
    const sizes = texts.flatMap(({ length }) => Array<number>(2).fill(framed(length)));
    expect(pair.writes).toEqual([6, ...sizes]);
    expect(pair.batch.bytes).toBe(0);
    const memory = pair.written.map(({ buffer }) => buffer);
    for (let pairOf = 1; pairOf < memory.length; pairOf += 2)
      expect(memory[pairOf + 1]).toBe(memory[pairOf]);
    const all = pair.writes.reduce((sum, size) => sum + size);
    const seen = (await pair.receives(all)).replaceAll(/([0-9+])\1+/g, '$1');
    expect(seen.replaceAll(/[^0-9+]/g, '')).toBe('0+1+2+3+4+');
    expect(pair.reports).toEqual([{ error: undefined, frames: 11 }]);
  });

  test.each<[string, (batch: FrameBatch) => void]>([
    ['of a long text', (batch) => batch.add(TEXT, 'x'.repeat(70_000))],
    [
      'that others send, too',
      (batch) => {
        batch.addShared(ONE!);
        batch.addShared(TWO!);
      },
    ],
  ])(
    '%s are not kept for the next tick, also where who is told sends more',
    async (_name, send) => {
      const other = await Pair.make();
      pair.told = () => send(other.batch);
      pair.batch.add(TEXT, 'one');
      other.batch.count();
      await macrotask();
      pair.told = undefined;
      send(other.batch);
      await macrotask();
      const [first, second] = other.written;
      expect(other.written).toHaveLength(2);
      expect(second).toEqual(first);
      expect(second).not.toBe(first);
    },
  );

  test('of long texts that the kernel does not take are not written over by others', async () => {
    const other = await Pair.make();
    pair.client.pause();
    let sent = '';
    const send = (): void => {
      const text = String.fromCodePoint(97 + (sent.length % 23)).repeat(60_000);
      pair.batch.add(TEXT, text);
      other.batch.add(TEXT, text.toUpperCase());
      sent += `\x81~\xea\x60${text}`;
    };
    while (pair.server.writableLength === 0) send();
    for (let more = 0; more < 3; more++) send();
    pair.client.resume();
    expect((await pair.receives(sent.length)) === sent).toBe(true);
    const written = pair.written.filter(({ length }) => length > 0);
    // What waits behind others takes no more memory than it needs.
    for (const { buffer, length } of written.slice(-3)) expect(buffer.byteLength).toBe(length);
  });

  test('of long data are left to ws', () => {
    expect(pair.batch.add(BINARY, Buffer.alloc(4096))).toBe('pending');
    expect(pair.batch.add(BINARY, Buffer.alloc(4097))).toBeUndefined();
    expect(pair.batch.bytes).toBe(4100);
  });

  test('that others send, too, fail with the socket', async () => {
    pair.batch.addShared(Buffer.from('too late'));
    pair.server.destroy();
    await macrotask();
    expect(pair.reports.map(({ frames, error }) => [frames, error?.message])).toEqual([
      [1, 'The socket was ended first.'],
    ]);
  });

  test('stand before whatever is written or ended by another way', async () => {
    pair.batch.add(TEXT, 'first');
    pair.server.write('second');
    pair.batch.add(TEXT, 'third');
    pair.server.end('fourth');
    expect(await pair.receives(26)).toBe('\x81\x05firstsecond\x81\x05thirdfourth');
    expect(pair.reports).toEqual([{ error: undefined, frames: 2 }]);
  });

  test('are written before the tick is over where they fill a chunk, and reported after it', async () => {
    for (let count = 0; count < 600; count++) pair.batch.add(TEXT, `${count}`.padEnd(64));
    expect(pair.writes).toHaveLength(2);
    expect(pair.reports).toEqual([]);
    await pair.receives(600 * 66);
    expect(pair.reports).toEqual([{ error: undefined, frames: 600 }]);
  });

  test('of many sockets are written after 1,024 of them', async () => {
    const pairs = [pair, await Pair.make()];
    for (let count = 0; count < 511; count++) for (const { batch } of pairs) batch.add(TEXT, '');
    expect(pairs.map(({ writes }) => writes.length)).toEqual([0, 0]);
    for (const { batch } of pairs) batch.add(TEXT, '');
    expect(pairs.map(({ writes }) => writes)).toEqual([[1024], [1024]]);
    for (let count = 0; count < 2048; count++) for (const { batch } of pairs) batch.add(TEXT, '');
    expect(pairs.map(({ writes }) => writes.length)).toEqual([2, 2]);
    await Promise.all(pairs.map((one) => one.receives(2 * 2560)));
    expect(pairs.map(({ reports }) => reports)).toEqual(
      pairs.map(() => [{ error: undefined, frames: 2560 }]),
    );
  });

  test('of very many sockets wait until there are some for each', async () => {
    let writes = 0;
    const write = (_chunk: unknown, _encoding: unknown, done: () => void): void => {
      writes++;
      done();
    };
    const batches = Array.from(
      { length: 200 },
      () => new FrameBatch(Object.assign(new Socket(), { _write: write }), () => {}),
    );
    const addToAll = (times: number): void => {
      for (let time = 0; time < times; time++) for (const batch of batches) batch.add(TEXT, '');
    };
    addToAll(7);
    expect(writes).toBe(0);
    addToAll(1);
    expect(writes).toBe(200);
    addToAll(31);
    expect(writes).toBe(200);
    addToAll(1);
    expect(writes).toBe(400);
    await macrotask();
  });

  test('that the kernel does not take are reported once it has', async () => {
    pair.client.pause();
    const big = Buffer.alloc(32 * 1024 * 1024);
    pair.server.write(big);
    pair.batch.add(TEXT, 'behind');
    pair.batch.add(TEXT, 'it');
    await macrotask();
    expect(pair.reports).toEqual([]);
    expect(pair.server.writableLength).toBeGreaterThanOrEqual('behind'.length + 2);
    pair.client.resume();
    await pair.receives(big.length + 12);
    expect(pair.reports).toEqual([{ error: undefined, frames: 2 }]);
  });

  test.each([1, 5000, 30_000, 70_000])(
    'of %i bytes to a peer that has reset are lost',
    async (length) => {
      const ended = new Promise((resolve) => pair.server.once('close', resolve));
      const reset = new Promise((resolve) => pair.client.once('close', resolve));
      pair.client.resetAndDestroy();
      await reset;
      // Before anything is read, so that the write itself is what fails.
      pair.batch.add(TEXT, 'x'.repeat(length));
      await ended;
      expect(pair.reports.map(({ error }) => error instanceof Error)).toEqual([true]);
    },
  );

  test('of a socket that was ended or destroyed are reported as failed', async () => {
    pair.batch.add(TEXT, 'too late');
    pair.server.destroy();
    await macrotask();
    const [report] = pair.reports;
    expect([report?.frames, report?.error?.message]).toEqual([1, 'The socket was ended first.']);
    expect(pair.batch.bytes).toBe(0);
    expect(FrameChunk.take(10).bytes.toString('latin1', 2, 10)).toBe('too late');
  });

  test('of a socket that was ended before are reported as failed, and not written', async () => {
    const errors: unknown[] = [];
    pair.server.on('error', (error) => errors.push(error));
    pair.server.end();
    pair.batch.add(TEXT, 'too late');
    await macrotask();
    expect(pair.reports.map(({ error }) => error?.message)).toEqual([
      'The socket was ended first.',
    ]);
    expect([pair.writes, errors]).toEqual([[], []]);
  });

  test('that were written by another way are counted with them', async () => {
    pair.batch.add(TEXT, 'one');
    pair.server.write('two');
    pair.batch.count();
    await macrotask();
    expect(pair.reports).toEqual([{ error: undefined, frames: 2 }]);
  });

  test('can be ended early, and are reported later all the same, once', async () => {
    const { tick } = pair.batch;
    pair.batch.add(TEXT, 'one');
    pair.batch.endEarly();
    expect([pair.writes, pair.reports]).toEqual([[5], []]);
    expect(pair.batch.tick).toBe(tick + 1);
    await macrotask();
    expect(pair.reports).toEqual([{ error: undefined, frames: 1 }]);
    pair.batch.endEarly();
    await macrotask();
    expect(pair.reports).toHaveLength(1);
  });
});
