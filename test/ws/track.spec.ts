import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { isWebSocket } from '../../src/ws/base-members.js';
import { track } from '../../src/ws/owned-websocket.js';
import { streamOf } from '../../src/ws/ws.internals.js';
import { afterTest } from '../support/cleanup.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';
import { describeDocumentedContract } from './documented.contract.js';
import { policyOf } from '../support/policy.js';
import { LOWEST, listening, NEWEST, testRuntime, type WsCopy, withoutLimit } from './pairs.js';

/** A client made with one copy of ws, and its end at a server made with the newest. */
async function client(copy: WsCopy, serverOptions = {}, clientOptions = {}) {
  const { server, url } = await listening(NEWEST, serverOptions);
  const accepted = once(server, 'connection');
  const socket = new copy.WebSocket(url, clientOptions);
  socket.on('error', () => {});
  afterTest(() => socket.terminate());
  const far = async (): Promise<WebSocket> => {
    const [peer] = (await within(accepted, 'a connection')) as [WebSocket];
    return peer;
  };
  return { socket, far, url };
}

async function openClient(copy: WsCopy, serverOptions = {}, clientOptions = {}) {
  const { socket, far } = await client(copy, serverOptions, clientOptions);
  const [peer] = await Promise.all([far(), once(socket, 'open')]);
  return { socket, peer };
}

for (const copy of [NEWEST, LOWEST]) {
  describeDocumentedContract(`tracked clients of ${copy.name}`, {
    sendsBlobs: copy.sendsBlobs,
    client: true,
    open: async ({ autoPong = true, perMessageDeflate = false } = {}) => {
      const ends = await openClient(copy, { perMessageDeflate }, { autoPong, perMessageDeflate });
      // Their own listener for errors is not the contract's.
      ends.socket.removeAllListeners('error');
      track(ends.socket, testRuntime(), policyOf(withoutLimit()));
      return ends;
    },
  });
}

describe.each([NEWEST, LOWEST])('A tracked client of $name', (copy) => {
  test('that is connecting refuses what is sent, and sends once it is open', async () => {
    const { socket, far } = await client(copy);
    const runtime = testRuntime();
    const owner = track(socket, runtime, policyOf());
    expect(owner.state).toBe('connecting');
    expect(await owner.send('early')).toEqual({ status: 'refused', cause: 'connecting' });
    const errors = new Tally<unknown>();
    socket.send('early', (error) => errors.add(error));
    await errors.reached(1, 'callback');
    expect(runtime.statistics.report([]).races['send-before-open']).toBe(2);
    const peer = await far();
    const message = once(peer, 'message');
    await within(once(socket, 'open'), 'the client to open');
    expect(owner.state).toBe('open');
    expect(await owner.send('in time')).toEqual({ status: 'written' });
    expect(String((await within(message, 'a message'))[0])).toBe('in time');
    const end = once(peer, 'close');
    expect(await owner.close(4000, 'bye')).toMatchObject({ handshake: 'clean', code: 4000 });
    expect((await within(end, 'the close'))[0]).toBe(4000);
  });

  test.each(['close', 'terminate'] as const)(
    'that is connecting ends by %s(), without an error at a distance',
    async (method) => {
      const { socket } = await client(copy);
      const runtime = testRuntime();
      const owner = track(socket, runtime, policyOf());
      const end = new Promise((resolve) => void socket.once('close', resolve));
      const outcome = await within(owner[method](), 'the outcome');
      await within(end, 'the close');
      expect(outcome).toMatchObject({ initiator: 'server', code: expect.any(Number) });
      expect(['terminated', 'lost']).toContain(outcome.handshake);
      expect(runtime.connections.size).toBe(0);
      expect(runtime.statistics.report([]).races['illegal-event']).toBe(0);
    },
  );

  test('whose server refuses it ends as lost', async () => {
    const server = createServer((socket: Socket) => {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    });
    afterTest(() => server.close());
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const socket = new copy.WebSocket(`ws://127.0.0.1:${port}`);
    const runtime = testRuntime();
    const owner = track(socket, runtime, policyOf());
    const outcome = await within(owner.closed, 'the outcome');
    expect(outcome).toMatchObject({ initiator: 'network', handshake: 'lost', code: 1006 });
    expect(runtime.connections.size).toBe(0);
  });

  // RFC 6455 §7.1.1.
  test('leaves it to its server to close the socket', async () => {
    const { socket } = await openClient(copy);
    const owner = track(socket, testRuntime(), policyOf());
    const end = once(streamOf(socket)!, 'end');
    expect(await owner.close(4000)).toMatchObject({ handshake: 'clean', code: 4000 });
    await within(end, 'the end of the stream');
  });

  test('whose server leaves ends with the code of the server', async () => {
    const { socket, peer } = await openClient(copy);
    const owner = track(socket, testRuntime(), policyOf());
    peer.close(4100, 'restart');
    expect(await within(owner.closed, 'the outcome')).toMatchObject({
      initiator: 'peer',
      handshake: 'clean',
      code: 4100,
      reason: 'restart',
    });
  });

  test('whose server ends the stream without a close frame ends as lost', async () => {
    const { socket, peer } = await openClient(copy);
    const owner = track(socket, testRuntime(), policyOf());
    streamOf(peer)!.end();
    expect(await within(owner.closed, 'the outcome')).toMatchObject({
      initiator: 'network',
      handshake: 'lost',
    });
  });

  test('that was tracked while connecting sees the end of the stream, too', async () => {
    const { socket, far } = await client(copy);
    const owner = track(socket, testRuntime(), policyOf());
    const [peer] = await Promise.all([far(), once(socket, 'open')]);
    streamOf(peer)!.end();
    expect(await within(owner.closed, 'the outcome')).toMatchObject({
      initiator: 'network',
      handshake: 'lost',
    });
  });

  test('keeps its owner where it is tracked twice', async () => {
    const { socket } = await openClient(copy);
    const runtime = testRuntime();
    const owner = track(socket, runtime, policyOf());
    expect(track(socket, testRuntime(), policyOf())).toBe(owner);
    expect(runtime.connections.size).toBe(1);
  });

  test('that has closed already has an outcome at once, and nothing of it stays', async () => {
    const { socket } = await openClient(copy);
    socket.close();
    await within(once(socket, 'close'), 'the close');
    const runtime = testRuntime();
    const owner = track(socket, runtime, policyOf());
    expect(owner.state).toBe('closed');
    expect(await within(owner.closed, 'the outcome')).toMatchObject({ handshake: 'lost' });
    expect(await owner.send('x')).toMatchObject({ status: 'refused' });
    expect(runtime.connections.size).toBe(0);
  });

  test('that is closing already ends with its socket, and accepts nothing', async () => {
    const { socket } = await openClient(copy);
    const end = once(socket, 'close');
    socket.close();
    const runtime = testRuntime();
    const owner = track(socket, runtime, policyOf());
    expect(owner.state).toBe('closing');
    expect(await owner.send('x')).toMatchObject({ status: 'refused' });
    await within(end, 'the close');
    await within(owner.closed, 'the outcome');
    expect(runtime.connections.size).toBe(0);
  });

  test('proves what its server has read', async () => {
    const { socket } = await openClient(copy);
    const owner = track(socket, testRuntime(), policyOf());
    expect(await owner.send('x', { acknowledge: true })).toEqual({ status: 'acknowledged' });
    expect(await owner.acknowledged()).toBe(true);
    await nextMacrotask();
    expect(await owner.close()).toMatchObject({ acknowledged: true, written: 1, lost: 0 });
  });

  test('is known by its shape', async () => {
    const { socket } = await openClient(copy);
    expect(isWebSocket(socket)).toBe(true);
    for (const other of [
      undefined,
      null,
      1,
      'x',
      {},
      [],
      Object.create(null),
      new Map(),
      () => {},
    ]) {
      expect(isWebSocket(other)).toBe(false);
    }
  });
});
