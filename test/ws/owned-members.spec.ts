import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { inspect } from 'node:util';
import type { WebSocket } from 'ws';
import type { SendOutcome } from '../../src/index.js';
import { STRAIGHT } from '../../src/ws/straight-path.js';
import { directReceiverOf, streamOf } from '../../src/ws/ws.internals.js';
import { afterTest } from '../support/cleanup.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';
import { LOWEST, NEWEST, ownedPair } from './pairs.js';

type Refusal = Error & { outcome?: SendOutcome };

/** Calls a method with arguments that its type forbids. */
function call(socket: WebSocket, method: 'send' | 'ping' | 'close', ...args: unknown[]): unknown {
  return (socket as unknown as Record<string, (...given: unknown[]) => unknown>)[method]!(...args);
}

function noop(): void {}

async function ended(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = await within(once(socket, 'close'), 'the close');
  return { code, reason: String(reason) };
}

/** Fills the pipe to a peer that does not read; returns how much there is to come. */
function fill(socket: WebSocket, peer: WebSocket, messages = 60): number {
  peer.pause();
  const message = Buffer.alloc(256 * 1024, 'x');
  for (let n = 0; n < messages; n++) socket.send(message);
  return messages;
}

/** What the streams of both ends have told of themselves. */
function watched(pair: { readonly socket: WebSocket; readonly peer: WebSocket }): string[] {
  const heard: string[] = [];
  for (const end of ['socket', 'peer'] as const) {
    const stream = streamOf(pair[end])!;
    for (const event of ['end', 'error']) stream.on(event, () => heard.push(`${end} ${event}`));
  }
  return heard;
}

describe.each([NEWEST, LOWEST])('An owned socket of $name', (copy) => {
  test('is an instance of the class it was made of', async () => {
    const { socket, server } = await ownedPair(copy);
    expect(socket).toBeInstanceOf(copy.WebSocket);
    expect(server.clients.has(socket)).toBe(true);
    expect(socket.constructor.name).toBe('WebSocket');
  });

  test('has a bufferedAmount that is not inflated by what was refused', async () => {
    const { socket, peer } = await ownedPair(copy);
    socket.close();
    await nextMacrotask();
    const before = socket.bufferedAmount;
    const refused = new Tally<unknown>();
    for (let n = 0; n < 10; n++) socket.send('x'.repeat(1_000), (error) => refused.add(error));
    socket.ping('x');
    socket.pong('x');
    expect(socket.bufferedAmount).toBeLessThanOrEqual(before);
    await refused.reached(10, 'callback');
    await ended(peer);
    expect(socket.bufferedAmount).toBe(0);
    socket.send('x'.repeat(1_000));
    expect(socket.bufferedAmount).toBe(0);
  });

  test('tells the outcome with the error of a callback', async () => {
    const { socket, peer, runtime } = await ownedPair(copy);
    socket.close();
    await nextMacrotask();
    const error = await new Promise<Refusal>((resolve) => {
      socket.send('late', (e) => resolve(e as Refusal));
    });
    expect(error.outcome).toEqual({ status: 'refused', cause: 'closing' });
    await ended(peer);
    await nextMacrotask();
    expect(runtime.statistics.report([]).races['send-after-close']).toBe(1);
  });

  test('answers pings of the peer while what it has accepted is being written', async () => {
    const { socket, peer, owner } = await ownedPair(copy);
    const messages = fill(socket, peer);
    const received = new Tally();
    peer.on('message', () => received.add());
    const pongs = new Tally<string>();
    peer.on('pong', (data) => pongs.add(data.toString()));
    socket.close(4000);
    await nextMacrotask();
    expect(owner.state).toBe('draining');
    peer.ping('1');
    await within(once(socket, 'ping'), 'the ping');
    expect(owner.state).toBe('draining');
    peer.resume();
    expect(await ended(peer)).toMatchObject({ code: 4000 });
    expect(received.count).toBe(messages);
    expect(pongs.all).toEqual(['1']);
  });

  test('with autoPong: false answers no ping in any state', async () => {
    const { socket, peer, owner } = await ownedPair(copy, { server: { autoPong: false } });
    fill(socket, peer);
    const pongs = new Tally<string>();
    peer.on('pong', (data) => pongs.add(data.toString()));
    peer.ping('open');
    await within(once(socket, 'ping'), 'the ping');
    socket.close(4000);
    await nextMacrotask();
    peer.ping('draining');
    await within(once(socket, 'ping'), 'the ping');
    expect(owner.state).toBe('draining');
    peer.resume();
    await ended(peer);
    expect(pongs.all).toEqual([]);
  });

  test.each([
    ['an object', {}],
    ['true', true],
    ['a BigInt', 1n],
    ['a symbol', Symbol('x')],
    ['a function', () => {}],
    ['a Map', new Map()],
    ['a promise', Promise.resolve()],
    ['an object without a prototype', Object.create(null)],
  ])('refuses %s without throwing, also while others wait', async (_name, data) => {
    const { socket, peer, runtime } = await ownedPair(copy);
    const refused = new Tally<Refusal>();
    call(socket, 'send', data, (error: Refusal) => refused.add(error));
    expect(refused.count).toBe(0);
    const messages = fill(socket, peer);
    call(socket, 'send', data, (error: Refusal) => refused.add(error));
    call(socket, 'send', data);
    await refused.reached(2, 'callback');
    for (const { outcome, message } of refused.all) {
      expect(outcome).toEqual({ status: 'refused', cause: 'unserializable' });
      expect(message).toBe('The message was refused: unserializable');
    }
    const received = new Tally();
    peer.on('message', () => received.add());
    peer.resume();
    socket.close();
    await ended(peer);
    expect(received.count).toBe(messages);
    expect(runtime.statistics.report([]).races.unserializable).toBe(3);
  });

  test('tells of pings that are too long or no data, and does not throw', async () => {
    const { socket, peer, runtime } = await ownedPair(copy);
    const errors = new Tally<Error>();
    call(socket, 'ping', 'x'.repeat(126), undefined, (error: Error) => errors.add(error));
    call(socket, 'ping', {}, undefined, (error: Error) => errors.add(error));
    call(socket, 'ping', 'x'.repeat(126));
    await errors.reached(2, 'callback');
    socket.send('still open');
    const [data] = await within(once(peer, 'message'), 'a message');
    expect(String(data)).toBe('still open');
    expect(runtime.statistics.report([]).races.unserializable).toBe(3);
  });

  test('survives callbacks that throw, and tells of them', async () => {
    const { socket, peer, runtime } = await ownedPair(copy);
    const calls = new Tally<string>();
    const thrower = (name: string) => (): never => {
      calls.add(name);
      throw new Error(name);
    };
    socket.send('1', thrower('written'));
    socket.send('2', () => calls.add('after'));
    await calls.reached(2, 'callback');
    socket.close();
    await nextMacrotask();
    socket.send('3', thrower('refused'));
    await calls.reached(3, 'callback');
    await ended(peer);
    expect(calls.all).toEqual(['written', 'after', 'refused']);
    expect(runtime.statistics.report([]).races['listener-error']).toBe(2);
  });

  test('survives callbacks of ping() and pong() that throw, and tells of them', async () => {
    const { socket, peer, runtime } = await ownedPair(copy);
    const calls = new Tally<string>();
    const thrower = (name: string) => (): never => {
      calls.add(name);
      throw new Error(name);
    };
    socket.ping('x', undefined, thrower('ping'));
    socket.pong('x', undefined, thrower('pong'));
    call(socket, 'ping', thrower('bare'));
    call(socket, 'ping', 'x'.repeat(126), thrower('refused'));
    await calls.reached(4, 'callback');
    socket.close();
    await nextMacrotask();
    socket.ping('x', undefined, thrower('late'));
    await calls.reached(5, 'callback');
    await ended(peer);
    expect(calls.all.toSorted()).toEqual(['bare', 'late', 'ping', 'pong', 'refused']);
    expect(runtime.statistics.report([]).races['listener-error']).toBe(5);
  });

  test.each([Number.NaN, 0, 1, 'callback', {}, null, Symbol('x')])(
    'takes %p in place of a callback for none',
    async (callback) => {
      const { socket, peer, owner, runtime } = await ownedPair(copy);
      const received = new Tally<string>();
      peer.on('message', (data: Buffer) => received.add(data.toString()));
      call(socket, 'send', 'sent', {}, callback);
      call(socket, 'send', {}, {}, callback);
      call(socket, 'ping', 'x', undefined, callback);
      const [outcome] = await Promise.all([owner.close(), ended(peer)]);
      expect(outcome).toMatchObject({ handshake: 'clean', written: 1 });
      expect(received.all).toEqual(['sent']);
      expect(runtime.statistics.report([]).races).toMatchObject({
        unserializable: 1,
        'listener-error': 0,
      });
    },
  );

  test('keeps its owner where the app removes all listeners', async () => {
    const { socket, peer, owner, runtime } = await ownedPair(copy);
    const heard = new Tally<string>();
    owner.dispatchTo({ dispatch: (data) => heard.add((data as Buffer).toString()) });
    socket.removeAllListeners();
    peer.send('1');
    await heard.reached(1, 'message');
    expect(await within(owner.acknowledged(), 'the acknowledgement')).toBe(true);
    const [outcome, seen] = await Promise.all([owner.close(4000, 'bye'), ended(peer)]);
    expect(seen).toEqual({ code: 4000, reason: 'bye' });
    expect(outcome).toMatchObject({ handshake: 'clean', code: 4000 });
    expect(runtime.connections.size).toBe(0);
  });

  test.each<[string, (socket: WebSocket) => void]>([
    ['are kept', () => {}],
    ['are removed', (socket) => socket.removeAllListeners('close')],
    [
      'have others in their place',
      (socket) => socket.removeAllListeners('close').on('close', noop),
    ],
  ])('is forgotten by its server once where the listeners of that %s', async (_name, change) => {
    const { socket, peer, owner, server } = await ownedPair(copy);
    const { clients } = server;
    const forgotten: WebSocket[] = [];
    const forget = clients.delete.bind(clients);
    clients.delete = (client) => forgotten.push(client) > 0 && forget(client);
    change(socket);
    peer.close();
    await within(owner.closed, 'the outcome');
    await nextMacrotask();
    expect(forgotten).toEqual([socket]);
    expect(clients.size).toBe(0);
  });

  test('that the app has paused is read on once it closes, so that the close ends', async () => {
    const { socket, peer, owner } = await ownedPair(copy);
    socket.pause();
    const end = ended(peer);
    const outcome = await within(owner.close(4000), 'the outcome');
    expect(outcome).toMatchObject({ handshake: 'clean', code: 4000 });
    expect(await end).toMatchObject({ code: 4000 });
  });

  test('that the app has paused while it was made ready stays paused', async () => {
    const { socket, peer, owner } = await ownedPair(copy);
    const heard = new Tally<string>();
    owner.dispatchTo({ dispatch: (data) => heard.add((data as Buffer).toString()) });
    owner.awaitReadiness();
    const early = once(socket, 'message');
    peer.send('early');
    await within(early, 'the message');
    socket.pause();
    owner.sealReadiness();
    expect(heard.all).toEqual(['early']);
    expect(socket.isPaused).toBe(true);
  });

  test('keeps early messages of any binaryType', async () => {
    for (const type of ['arraybuffer', 'fragments', ...(copy.sendsBlobs ? ['blob'] : [])]) {
      const { socket, peer, owner } = await ownedPair(copy);
      const heard = new Tally<unknown>();
      owner.dispatchTo({ dispatch: (data) => heard.add(data) });
      owner.awaitReadiness();
      socket.binaryType = type as 'arraybuffer';
      const read = new Tally();
      socket.on('message', () => read.add());
      peer.send(Buffer.from([1]));
      peer.send(Buffer.from([2]));
      await read.reached(2, 'message');
      expect(socket.isPaused).toBe(false);
      owner.sealReadiness();
      expect(heard.count).toBe(2);
      expect(owner.state).toBe('open');
    }
  });

  test('is CLOSING for its user while ws itself still writes', async () => {
    const { socket, peer, owner } = await ownedPair(copy);
    fill(socket, peer);
    const states: string[] = [];
    socket.on('ping', () => states.push(`${socket.readyState} ${owner.state}`));
    socket.close(4000);
    expect(socket.readyState).toBe(socket.CLOSING);
    await nextMacrotask();
    peer.ping();
    await within(once(socket, 'ping'), 'the ping');
    expect(states).toEqual([`${socket.CLOSING} draining`]);
    peer.resume();
    await ended(peer);
  });

  test('does not mind when the options of a send that waits are changed later', async () => {
    const { socket, peer } = await ownedPair(copy, { policy: { send: { highWaterMark: 1 } } });
    const received = new Tally<string>();
    peer.on('message', (data: Buffer, binary) => received.add(`${binary} ${data.toString()}`));
    peer.pause();
    for (let n = 0; n < 60; n++) socket.send(Buffer.alloc(256 * 1024));
    const options = { binary: true };
    socket.send('1', options);
    options.binary = false;
    socket.send('2', options);
    peer.resume();
    await received.reached(62, 'message');
    expect(received.all.slice(60)).toEqual(['true 1', 'false 2']);
  });
});

describe.each([NEWEST, LOWEST])('The TCP connection of a socket of $name', (copy) => {
  test('ends with the answer of a peer that has read all, whose own end is not awaited', async () => {
    const pair = await ownedPair(copy);
    const heard = watched(pair);
    const end = ended(pair.peer);
    const { handshake } = await pair.owner.close(4000, 'done');
    expect(handshake).toBe('clean');
    expect(await end).toEqual({ code: 4000, reason: 'done' });
    expect(heard.toSorted()).toEqual(STRAIGHT ? ['peer end'] : ['peer end', 'socket end']);
  });

  test.each(['crossed', 'clean'])(
    'ends with that of its stream, where a close is %s',
    async (how) => {
      const pair = await ownedPair(copy);
      const heard = watched(pair);
      pair.peer.close(4001);
      if (how === 'crossed') void pair.owner.close(4000);
      const { handshake, initiator } = await pair.owner.closed;
      expect([handshake, initiator]).toEqual([how, how === 'crossed' ? 'server' : 'peer']);
      await nextMacrotask();
      expect(heard.toSorted()).toEqual(['peer end', 'socket end']);
    },
  );

  // Node makes an error of that, stack and all, which nobody gets to see.
  test("ends ws's receiver once", async () => {
    const { owner, socket } = await ownedPair(copy);
    const receiver = directReceiverOf(socket);
    const prototype = Object.getPrototypeOf(receiver) as { end: (...args: never[]) => Writable };
    const { end } = prototype;
    afterTest(() => void Reflect.deleteProperty(prototype, 'end'));
    const ends: boolean[] = [];
    prototype.end = function (this: Writable, ...args: unknown[]) {
      if (this === receiver) ends.push(this.writableEnded);
      return Reflect.apply(end, this, args);
    };
    await owner.close(4000);
    expect(ends).toEqual([false]);
  });
});

describe.each([NEWEST, LOWEST])('Arguments of close() on a socket of $name', (copy) => {
  const bad = [
    0,
    999,
    1004,
    1006,
    1015,
    2999,
    5000,
    1000.5,
    -1,
    '4000',
    NaN,
    null,
    {},
    [],
    true,
    4000n,
    Symbol('x'),
  ];

  test.each(bad.map((code) => [inspect(code), code]))(
    'The code %s becomes 1011, and is told',
    async (_name, code) => {
      const { socket, peer, owner, runtime } = await ownedPair(copy);
      const end = ended(peer);
      call(socket, 'close', code, 'why');
      expect(await end).toEqual({ code: 1011, reason: 'why' });
      expect(await owner.closed).toMatchObject({ code: 1011, handshake: 'clean' });
      expect(runtime.statistics.report([]).races['invalid-close-arguments']).toBe(1);
    },
  );

  test('The code 1005 asks for a frame without a code, and is not told', async () => {
    const { socket, peer, owner, runtime } = await ownedPair(copy);
    const end = ended(peer);
    call(socket, 'close', 1005, 'dropped');
    expect(await end).toEqual({ code: 1005, reason: '' });
    expect(await owner.closed).toMatchObject({ code: 1005, reason: '', handshake: 'clean' });
    expect(runtime.statistics.report([]).races['invalid-close-arguments']).toBe(0);
  });

  test('An invalid code loses against any valid one', async () => {
    const { socket, peer } = await ownedPair(copy);
    const end = ended(peer);
    call(socket, 'close', 999);
    socket.close(1000, 'mine');
    expect(await end).toEqual({ code: 1000, reason: 'mine' });
  });

  test.each([
    ['of 124 bytes', 'x'.repeat(124), 'x'.repeat(123)],
    ['of 62 × é', 'é'.repeat(62), 'é'.repeat(61)],
    ['of 41 × 🎉', `x${'🎉'.repeat(41)}`, `x${'🎉'.repeat(30)}`],
    ['with half a surrogate pair', 'a\uD83Cb', 'a\uFFFDb'],
    ['that ends in half a surrogate pair', `${'x'.repeat(122)}\uDF89`, 'x'.repeat(122)],
    ['of a Buffer that is too long', Buffer.from('é'.repeat(62)), 'é'.repeat(61)],
    ['of a Buffer that is not UTF-8', Buffer.from([0x61, 0xff, 0x62]), 'a\uFFFDb'],
    ['that is a number', 42, ''],
    ['that is an object', { why: 'x' }, ''],
    ['that is a symbol', Symbol('x'), ''],
  ])('A reason %s is mended, and told', async (_name, reason, seen) => {
    const { socket, peer, runtime } = await ownedPair(copy);
    const end = ended(peer);
    call(socket, 'close', 4000, reason);
    expect(await end).toEqual({ code: 4000, reason: seen });
    expect(runtime.statistics.report([]).races['invalid-close-arguments']).toBe(1);
  });

  test.each([
    ['of 123 bytes', 'x'.repeat(123)],
    ['of 41 × €', '€'.repeat(41)],
    ['that is empty', ''],
  ])('A reason %s is sent as it is, and not told', async (_name, reason) => {
    const { socket, peer, runtime } = await ownedPair(copy);
    const end = ended(peer);
    socket.close(4000, reason);
    expect(await end).toEqual({ code: 4000, reason });
    expect(runtime.statistics.report([]).races['invalid-close-arguments']).toBe(0);
  });
});
