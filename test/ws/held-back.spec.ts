/* oxlint-disable no-underscore-dangle -- ws's own names. */
import { describe, expect, test } from '@jest/globals';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { SendOutcome } from '../../src/index.js';
import { broadcast } from '../../src/runtime/broadcast.js';
import { track } from '../../src/ws/owned-websocket.js';
import { streamOf } from '../../src/ws/ws.internals.js';
import { policyOf } from '../support/policy.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';
import {
  LOWEST,
  NEWEST,
  ownedPair,
  plainPair,
  testRuntime,
  type OwnedPair,
  type WsCopy,
} from './pairs.js';

/** More than is put together with others. */
const LARGE = 'x'.repeat(5_000);

/** A Blob that ws has read once `give` is called. */
class SlowBlob extends Blob {
  give!: () => void;
  readonly #given = new Promise<void>((resolve) => (this.give = resolve));

  override async arrayBuffer(): Promise<ArrayBuffer> {
    await this.#given;
    return super.arrayBuffer();
  }
}

/** As ws tells one by, and not of the class that Node has. */
function blobOfLibrary(blob: Blob): Blob {
  return {
    type: '',
    size: blob.size,
    stream: () => blob.stream(),
    arrayBuffer: () => blob.arrayBuffer(),
    [Symbol.toStringTag]: 'Blob',
  } as unknown as Blob;
}

/** What a peer is told, in its order: of a text its beginning. */
function heardBy(peer: WebSocket): Tally<string> {
  const heard = new Tally<string>();
  peer.on('message', (data: Buffer) => heard.add(data.toString().slice(0, 9)));
  peer.on('ping', (data: Buffer) =>
    heard.add(data.toString() === 'app' ? 'ping of the app' : 'ping'),
  );
  peer.on('pong', () => heard.add('pong'));
  peer.on('close', (code: number) => heard.add(`closed ${code}`));
  return heard;
}

async function expectHeard(heard: Tally<string>, frames: readonly string[]): Promise<void> {
  await heard.reached(frames.length, 'frame');
  expect(heard.all).toEqual(frames);
}

/** Who stands before the `write()` of a stream, and passes on what comes once it is let go. */
function holdWrites(stream: Duplex): () => void {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let held: unknown[][] | undefined = [];
  stream.write = (...args: unknown[]): boolean => {
    if (!held) return write(...args);
    held.push(args);
    return true;
  };
  return () => {
    const left = held ?? [];
    held = undefined;
    for (const args of left) write(...args);
  };
}

async function started(copy: WsCopy, server = {}): Promise<OwnedPair & { heard: Tally<string> }> {
  const pair = await ownedPair(copy, { server });
  const heard = heardBy(pair.peer);
  await pair.owner.send('first');
  await heard.reached(1, 'message');
  return { ...pair, heard };
}

/** Whether it has come by now. */
async function isSettled(outcome: Promise<SendOutcome>): Promise<boolean> {
  let settled = false;
  void outcome.then(() => (settled = true));
  await nextMacrotask();
  return settled;
}

describe('Behind a Blob that the app pings with', () => {
  test.each(['ping', 'pong'] as const)(
    'nothing overtakes what ws holds back (%s)',
    async (method) => {
      const { owner, socket, heard } = await started(NEWEST);
      const blob = new SlowBlob(['app']);
      socket[method](blob);
      const outcomes = [owner.send(LARGE), owner.send('small', { acknowledge: true })];
      expect(await isSettled(Promise.race(outcomes))).toBe(false);
      blob.give();
      expect(await Promise.all(outcomes)).toEqual([
        { status: 'written' },
        { status: 'acknowledged' },
      ]);
      const first = method === 'ping' ? 'ping of the app' : 'pong';
      await expectHeard(heard, ['first', first, 'xxxxxxxxx', 'small', 'ping']);
    },
  );

  test.each([
    ['alone in its tick, as those before', 0],
    ['behind another one of its tick', 1],
  ])('nor does a broadcast, %s', async (_where, before) => {
    const { owner, socket, heard } = await started(NEWEST);
    const other = await started(NEWEST);
    const toBoth = (text: string): Promise<unknown> => broadcast([other.owner, owner], text);
    // Until it goes by the shortest way, which is that of all but the first.
    for (let tick = 0; tick < 12; tick++) {
      void toBoth('tick');
      // oxlint-disable-next-line no-await-in-loop
      await nextMacrotask();
    }
    for (let sent = 0; sent < before; sent++) {
      void toBoth('before');
      void toBoth('before');
    }
    const blob = new SlowBlob(['app']);
    socket.ping(blob);
    const sent = toBoth('behind');
    await other.heard.reached(14 + 2 * before, 'message');
    blob.give();
    expect(await sent).toMatchObject({ written: 2 });
    await heard.reached(15 + 2 * before, 'frame');
    expect(heard.all.slice(13 + 2 * before)).toEqual(['ping of the app', 'behind']);
  });

  test('what was sent is lost with the socket, and said to be', async () => {
    const { owner, socket } = await started(NEWEST);
    socket.ping(new SlowBlob(['app']));
    const outcome = owner.send(LARGE, { acknowledge: true });
    await owner.terminate();
    expect((await outcome).status).toBe('lost');
    expect(owner.totals).toMatchObject({ written: 1, lost: 1 });
  });

  test('the close waits for it', async () => {
    const { owner, socket, heard } = await started(NEWEST);
    const blob = new SlowBlob(['app']);
    socket.ping(blob);
    void owner.send(LARGE);
    const closed = owner.close(4000, 'bye');
    await nextMacrotask();
    blob.give();
    expect(await closed).toMatchObject({ handshake: 'clean', acknowledged: true });
    await expectHeard(heard, ['first', 'ping of the app', 'xxxxxxxxx', 'ping', 'closed 4000']);
  });
});

describe.each([NEWEST, LOWEST])('A socket of $name', (copy) => {
  test.each([false, true])(
    'before whose write() somebody stands, since the first message: %s',
    async (since) => {
      const { owner, socket, peer } = await ownedPair(copy);
      const heard = heardBy(peer);
      if (!since) await owner.send('first');
      const letGo = holdWrites(streamOf(socket)!);
      const outcomes = [owner.send('small'), owner.send(Buffer.from(LARGE)), owner.send('last')];
      expect(await isSettled(Promise.race(outcomes))).toBe(false);
      letGo();
      expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => ({ status: 'written' })));
      expect(await owner.close()).toMatchObject({ handshake: 'clean', acknowledged: true });
      const sent = ['small', 'xxxxxxxxx', 'last', 'ping', 'closed 1000'];
      await expectHeard(heard, since ? sent : ['first', ...sent]);
    },
  );

  test('acknowledges what ws compresses once the peer has read it', async () => {
    const { owner, heard } = await started(copy, { perMessageDeflate: true });
    const outcome = await owner.send('hello '.repeat(500_000), { acknowledge: true });
    expect([outcome, heard.all]).toEqual([
      { status: 'acknowledged' },
      ['first', 'hello hel', 'ping'],
    ]);
  });

  test('closes also where ws writes by something else than its stream', async () => {
    const { owner, socket, heard } = await started(copy);
    const { _sender: sender } = socket as unknown as { _sender: { _socket: object } };
    sender._socket = Object.create(sender._socket) as object;
    expect(await owner.close()).toMatchObject({ handshake: 'clean', acknowledged: true });
    await expectHeard(heard, ['first', 'ping', 'closed 1000']);
  });

  test('of a class whose close() sends something first calls back for that, too', async () => {
    const told = new Tally<string>();
    class PingsFirst extends copy.WebSocket {
      override close(code?: number, reason?: string): void {
        super.ping('app', undefined, () => told.add('pinged'));
        super.close(code, reason);
      }
    }
    const { owner, heard } = await started({ ...copy, WebSocket: PingsFirst });
    expect(await owner.close()).toMatchObject({ handshake: 'clean' });
    expect(heard.all).toContain('ping of the app');
    await told.reached(1, 'callback');
  });

  test('that gets an owner while ws compresses loses nothing', async () => {
    const server = { perMessageDeflate: { threshold: 0 } };
    const { socket, peer } = await plainPair(copy, { server });
    const heard = heardBy(peer);
    const text = 'before '.repeat(4_000);
    for (const length of [7, 28_000]) socket.send(text.slice(0, length));
    const owner = track(socket, testRuntime(), policyOf());
    await Promise.all([owner.send(Buffer.from(LARGE)), owner.send('small')]);
    expect(await owner.close()).toMatchObject({ handshake: 'clean', acknowledged: true });
    const sent = ['before ', 'before be', 'xxxxxxxxx', 'small', 'ping', 'closed 1000'];
    await expectHeard(heard, sent);
  });
});

test.each(['send', 'ping'] as const)(
  'A Blob of a library is one, too: nothing overtakes it (%s)',
  async (method) => {
    const { owner, socket, heard } = await started(NEWEST);
    const blob = new SlowBlob(['app']);
    socket[method](blobOfLibrary(blob));
    const outcomes = [owner.send(LARGE), owner.send('small', { acknowledge: true })];
    expect(await isSettled(Promise.race(outcomes))).toBe(false);
    blob.give();
    await Promise.all(outcomes);
    const first = method === 'ping' ? 'ping of the app' : 'app';
    await expectHeard(heard, ['first', first, 'xxxxxxxxx', 'small', 'ping']);
  },
);

test('A socket that gets an owner while ws reads a Blob sends behind it', async () => {
  const { socket, peer } = await plainPair(NEWEST, {});
  const heard = heardBy(peer);
  const blob = new SlowBlob(['the blob']);
  socket.send(blob);
  const owner = track(socket, testRuntime(), policyOf());
  const outcome = owner.send('small', { acknowledge: true });
  expect(await isSettled(outcome)).toBe(false);
  blob.give();
  expect(await within(outcome, 'the outcome')).toEqual({ status: 'acknowledged' });
  await expectHeard(heard, ['the blob', 'small', 'ping']);
});
