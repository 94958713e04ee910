/* oxlint-disable no-underscore-dangle -- Node's and ws's own names. */
import { describe, expect, test } from '@jest/globals';
import { createHook } from 'node:async_hooks';
import type { Socket } from 'node:net';
import { broadcast } from '../../src/runtime/broadcast.js';
import { ownershipOf } from '../../src/ws/ownership.js';
import { streamOf } from '../../src/ws/ws.internals.js';
import { chunksTo, ownedPair, LOWEST, NEWEST } from './pairs.js';

const MESSAGES = 1_000;
const TEXT = 'x'.repeat(64);

/** How many promises are made while it runs. */
function promisesOf(work: () => void): number {
  let made = 0;
  const hook = createHook({ init: (_id, type) => void (made += type === 'PROMISE' ? 1 : 0) });
  hook.enable();
  work();
  hook.disable();
  return made;
}

/** Counts the writes that reach the kernel's side of a stream. */
function countWrites(stream: Socket): () => number {
  const write = stream._write.bind(stream);
  const writev = stream._writev!.bind(stream);
  let writes = 0;
  stream._write = (...args) => {
    writes++;
    write(...args);
  };
  stream._writev = (...args) => {
    writes++;
    writev(...args);
  };
  return () => writes;
}

/* What a message costs, by counts that are the same on every machine. */
describe.each([NEWEST, LOWEST])('The straight path of $name', (copy) => {
  async function started() {
    const pair = await ownedPair(copy);
    const stream = (pair.socket as unknown as { _socket: Socket })._socket;
    // The first message finds out what the socket can do.
    await pair.owner.send('first');
    return { ...pair, writes: countWrites(stream) };
  }

  test('a burst of one turn is a few writes, and one promise', async () => {
    const { owner, writes } = await started();
    const outcomes = new Set<Promise<unknown>>();
    const promises = promisesOf(() => {
      for (let sent = 0; sent < MESSAGES; sent++) outcomes.add(owner.send(TEXT));
    });
    expect(await Promise.all(outcomes)).toEqual([{ status: 'written' }]);
    expect(promises).toBeLessThanOrEqual(1);
    // 66 KB in chunks of 16 KiB.
    expect(writes()).toBeLessThanOrEqual(6);
    expect(owner.totals.written).toBe(MESSAGES + 1);
  });

  test('raw sends and posts of a burst make no promise', async () => {
    const { owner, socket, writes } = await started();
    const promises = promisesOf(() => {
      for (let sent = 0; sent < 100; sent++) socket.send(TEXT);
      for (let sent = 0; sent < 100; sent++) owner.post('event', sent);
    });
    expect(promises).toBe(0);
    expect(await owner.send('last')).toEqual({ status: 'written' });
    expect(writes()).toBe(1);
  });

  test('one message is one write', async () => {
    const { owner, writes } = await started();
    await owner.send(TEXT);
    expect(writes()).toBe(1);
  });

  test('a close is one write: the ping that asks what was read, and the close frame', async () => {
    const { owner, writes } = await started();
    const { handshake, acknowledged } = await owner.close();
    expect({ handshake, acknowledged }).toEqual({ handshake: 'clean', acknowledged: true });
    expect(writes()).toBe(1);
  });

  test('of a close the stream makes no write of its own', async () => {
    const { socket, owner } = await ownedPair(copy);
    await owner.send('first');
    const stream = streamOf(socket) as Socket;
    const writev = stream._writev!.bind(stream);
    let writes = 0;
    stream._writev = (...args) => {
      writes++;
      writev(...args);
    };
    expect((await owner.close()).handshake).toBe('clean');
    expect(writes).toBe(0);
  });

  test('nothing is written behind a close frame', async () => {
    const { socket, writes } = await started();
    const { port } = ownershipOf(socket)!;
    for (let times = 0; times < 2; times++) {
      port.ping(Buffer.from('read?'), true);
      port.close({ code: 1000, reason: '' });
      expect(writes()).toBe(1);
    }
    const { bufferedAmount } = port;
    port.close({ code: 1000, reason: '' });
    expect(port.bufferedAmount).toBe(bufferedAmount);
  });

  test('a close is one write also where somebody stands before write() of the stream', async () => {
    const { owner, socket, writes } = await started();
    const stream = streamOf(socket)!;
    const seen: number[] = [];
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = (chunk: Buffer, ...rest: unknown[]) => {
      seen.push(chunk.length);
      return write(chunk, ...rest);
    };
    expect((await owner.close()).handshake).toBe('clean');
    expect(seen.length).toBeGreaterThan(1);
    expect(writes()).toBe(1);
  });

  test('broadcasts of one turn are one write each, and nobody has a copy', async () => {
    const pairs = await Promise.all([started(), started(), started()]);
    const written = chunksTo(pairs);
    const owners = pairs.map(({ owner }) => owner);
    const outcomes = [TEXT, 'y'.repeat(64)].map((text) => broadcast(owners, text));
    for (const outcome of await Promise.all(outcomes)) expect(outcome.written).toBe(3);
    expect(written.map((chunk) => chunk.length)).toEqual([132, 132, 132]);
    expect(new Set(written).size).toBe(1);
  });

  test('a long text that many are sent one by one is framed once', async () => {
    const pairs = await Promise.all([started(), started(), started()]);
    const text = 'long '.repeat(50_000);
    const received = pairs.map(
      ({ peer }) =>
        new Promise((resolve) => {
          peer.on(
            'message',
            (message: Buffer) => message.length > 5 && resolve(message.toString()),
          );
        }),
    );
    const written = chunksTo(pairs);
    const outcomes = pairs.map(({ owner }) => owner.send(text));
    for (const outcome of await Promise.all(outcomes)) expect(outcome.status).toBe('written');
    expect(written).toHaveLength(3);
    expect(new Set(written).size).toBe(1);
    for (const message of await Promise.all(received)) expect(message === text).toBe(true);
  });

  test.each([true, {}, { frame: Buffer.from('no frame') }])(
    'an option of the app that is named like one of ours means nothing: %p',
    async (shared) => {
      const { socket, peer, owner } = await started();
      const received = new Promise((resolve) => {
        peer.on('message', (data, isBinary) => isBinary && resolve(String(data)));
      });
      socket.send(Buffer.from('data'), { shared } as object);
      expect(await received).toBe('data');
      expect(owner.totals.refused).toBe(0);
    },
  );

  test.each([125, 126, 65_535, 65_536, 300_000])(
    'a broadcast of %i bytes is what was sent',
    async (size) => {
      const { owner, peer } = await started();
      const { owner: other } = await started();
      const received: [string, boolean][] = [];
      const last = new Promise((resolve) => {
        peer.on('message', (message: Buffer, isBinary) => {
          received.push([message.toString(), isBinary]);
          if (isBinary) resolve(undefined);
        });
      });
      const [text, data] = ['t'.repeat(size), Buffer.alloc(size, 'd')];
      void broadcast([owner, other], text);
      void broadcast([owner, other], data);
      await last;
      expect(received.slice(-2)).toEqual([
        [text, false],
        [data.toString(), true],
      ]);
    },
  );

  test.each([1, 5000, 70_000])(
    '%i bytes to a peer that has just reset are lost, to one or to many',
    async (size) => {
      const pairs = await Promise.all([started(), started(), started()]);
      const sockets = pairs.map(({ peer }) => (peer as unknown as { _socket: Socket })._socket);
      const reset = sockets.map(
        (socket) => new Promise((resolve) => socket.once('close', resolve)),
      );
      for (const socket of sockets) socket.resetAndDestroy();
      // Nothing has been read of it yet, so that the write itself is what fails.
      await Promise.all(reset);
      const [owner, ...others] = pairs.map((pair) => pair.owner);
      const sent = owner!.send('x'.repeat(size));
      const { written, lost, targets } = await broadcast(others, 'y'.repeat(size));
      expect((await sent).status).toBe('lost');
      expect({ written, lost, targets }).toEqual({ written: 0, lost: 2, targets: 2 });
    },
  );

  test('a burst takes no memory for each message', async () => {
    const { socket, owner } = await started();
    const burst = (): void => {
      for (let sent = 0; sent < MESSAGES; sent++) socket.send(TEXT);
    };
    // What is compiled or made once is not the cost of a message, nor what else the process makes.
    const bytes: number[] = [];
    for (let round = 0; round < 40; round++) {
      const before = process.memoryUsage().heapUsed;
      burst();
      bytes.push((process.memoryUsage().heapUsed - before) / MESSAGES);
      // oxlint-disable-next-line no-await-in-loop
      await owner.send('end of round');
    }
    const [median] = bytes.toSorted((a, b) => a - b).slice(bytes.length / 2);
    expect(median).toBeLessThan(16);
  });
});
