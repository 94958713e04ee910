import { describe, expect, test } from '@jest/globals';
import { on, once } from 'node:events';
import { inspect, types } from 'node:util';
import { createWebSocketStream, type RawData, type ServerOptions, type WebSocket } from 'ws';
import { streamOf } from '../../src/ws/ws.internals.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';

/** Both ends of a connection; the contract is about `socket`. */
export interface Ends {
  readonly socket: WebSocket;
  readonly peer: WebSocket;
}

export interface Contracted {
  readonly sendsBlobs: boolean;
  /** `socket` is a client's: it has a URL, and masks what it sends. */
  readonly client?: boolean;
  readonly open: (options?: ServerOptions) => Promise<Ends>;
}

interface Received {
  readonly data: Buffer;
  readonly binary: boolean;
}

function inbox(socket: WebSocket): Tally<Received> {
  const received = new Tally<Received>();
  socket.on('message', (data: RawData, binary) => {
    received.add({ data: Buffer.from(data as Buffer), binary });
  });
  return received;
}

async function event<T extends unknown[]>(socket: WebSocket, name: string): Promise<T> {
  return (await within(once(socket, name), `the event '${name}'`)) as T;
}

/** How the close of a socket shows on it. */
async function ended(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = await event<[number, Buffer]>(socket, 'close');
  return { code, reason: reason.toString() };
}

/** Calls a method with arguments that ws takes and its types don't have. */
function invoke(socket: WebSocket, method: 'send' | 'ping', ...args: unknown[]): void {
  (socket as unknown as Record<string, (...given: unknown[]) => void>)[method]!(...args);
}

/** `send()` with its callback as a promise. */
function sent(socket: WebSocket, data: unknown, ...options: unknown[]): Promise<unknown> {
  return within(
    new Promise((resolve) => {
      invoke(socket, 'send', data, ...options, resolve);
    }),
    'the callback of send()',
  );
}

/** What ws documents for its users; ws itself keeps it, and so must we. */
export function describeDocumentedContract(
  name: string,
  { open, sendsBlobs, client = false }: Contracted,
): void {
  describe(`What ws documents holds for ${name}`, () => {
    describe('Messages', () => {
      const bytes = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]);
      const { buffer } = Uint8Array.from(bytes);
      const kinds: [string, unknown, string | Buffer][] = [
        ['a text', 'grüße 🎉', 'grüße 🎉'],
        ['an empty text', '', ''],
        ['a number', 42, '42'],
        ['zero', 0, '0'],
        ['a Buffer', bytes, bytes],
        ['a part of a Buffer', bytes.subarray(2, 5), bytes.subarray(2, 5)],
        ['an ArrayBuffer', buffer, bytes],
        ['a typed array', new Uint8Array(buffer), bytes],
        ['a part of a typed array', new Uint16Array(buffer, 2, 2), bytes.subarray(2, 6)],
        ['a DataView', new DataView(buffer, 1, 3), bytes.subarray(1, 4)],
        ['a list of bytes', [1, 2, 3], bytes.subarray(0, 3)],
        ['nothing', undefined, Buffer.alloc(0)],
        ['null', null, Buffer.alloc(0)],
      ];
      if (sendsBlobs) kinds.push(['a Blob', new Blob([bytes]), bytes]);

      test.each(kinds)('%s arrives as it was sent', async (_name, data, expected) => {
        const { socket, peer } = await open();
        const received = inbox(peer);
        expect(await sent(socket, data)).toBeFalsy();
        expect(await received.at(0, 'message')).toEqual({
          data: Buffer.from(expected as string),
          binary: typeof expected !== 'string',
        });
      });

      test('The option `binary` decides over the type of the data', async () => {
        const { socket, peer } = await open();
        const received = inbox(peer);
        socket.send(Buffer.from('text'), { binary: false });
        socket.send('bytes', { binary: true });
        await received.reached(2, 'message');
        expect(received.all).toEqual([
          { data: Buffer.from('text'), binary: false },
          { data: Buffer.from('bytes'), binary: true },
        ]);
      });

      test('Fragments become one message', async () => {
        const { socket, peer } = await open();
        const received = inbox(peer);
        const options = { fin: false };
        socket.send('one, ', options);
        socket.send('two, ', options);
        options.fin = true;
        socket.send('three', options);
        socket.send('next');
        await received.reached(2, 'message');
        expect(received.all.map(({ data }) => data.toString())).toEqual([
          'one, two, three',
          'next',
        ]);
      });

      test('Fragments beyond any buffer become one message, too', async () => {
        const { socket, peer } = await open();
        const received = inbox(peer);
        const part = Buffer.alloc(100_000, 'x');
        const options = { fin: false };
        for (let n = 0; n < 20; n++) socket.send(part, options);
        options.fin = true;
        socket.send('end', options);
        const { data } = await received.at(0, 'message');
        expect(data.byteLength).toBe(2_000_003);
      });

      test.each([true, false])('Order is kept with permessage-deflate: %s', async (deflate) => {
        const { socket, peer } = await open({
          perMessageDeflate: deflate && { threshold: 16 },
        });
        expect(socket.extensions).toBe(deflate ? 'permessage-deflate' : '');
        const received = inbox(peer);
        const echoed = inbox(socket);
        const messages = Array.from({ length: 50 }, (_, n) =>
          `${n}:`.padEnd((n % 5) * 4_000, 'ab'),
        );
        for (const [n, message] of messages.entries()) {
          if (n % 7 === 0) socket.send(message, { compress: false });
          else socket.send(message);
          peer.send(message);
        }
        await received.reached(50, 'message');
        await echoed.reached(50, 'message');
        expect(received.all.map(({ data }) => data.toString())).toEqual(messages);
        expect(echoed.all.map(({ data }) => data.toString())).toEqual(messages);
      });

      if (sendsBlobs) {
        test('Order is kept around Blobs', async () => {
          const { socket, peer } = await open();
          const received = inbox(peer);
          socket.send('1');
          socket.send(new Blob(['2']), { binary: false });
          socket.send('3');
          socket.send(new Blob(['4']), { binary: false });
          socket.close(1000);
          await ended(peer);
          expect(received.all.map(({ data }) => data.toString())).toEqual(['1', '2', '3', '4']);
        });
      }

      test('All that was sent before close() arrives before the close', async () => {
        const { socket, peer } = await open();
        const received = inbox(peer);
        const message = Buffer.alloc(64 * 1024, 'x');
        for (let n = 0; n < 100; n++) socket.send(message);
        socket.close(4000, 'end');
        expect(await ended(peer)).toEqual({ code: 4000, reason: 'end' });
        expect(received.count).toBe(100);
      });
    });

    describe('Callbacks of send()', () => {
      test('run once each, in the order of the messages, and not before send() returns', async () => {
        const { socket } = await open();
        const calls = new Tally<number>();
        let returned = false;
        for (let n = 0; n < 20; n++) {
          socket.send(Buffer.alloc(n * 10_000), (error) => {
            expect(error).toBeFalsy();
            expect(returned).toBe(true);
            calls.add(n);
          });
        }
        returned = true;
        await calls.reached(20, 'callback');
        expect(calls.all).toEqual(Array.from({ length: 20 }, (_, n) => n));
      });

      test('run with options, too', async () => {
        const { socket } = await open();
        expect(await sent(socket, 'a', {})).toBeFalsy();
        expect(await sent(socket, 'a', undefined)).toBeFalsy();
        expect(await sent(socket, 'a', { compress: false, binary: true })).toBeFalsy();
      });

      test('get the error of ws after close()', async () => {
        const { socket, peer } = await open();
        socket.close();
        await nextMacrotask();
        const error = await sent(socket, 'too late');
        expect((error as Error).message).toBe('WebSocket is not open: readyState 2 (CLOSING)');
        await ended(peer);
      });

      test('get the error of ws after the end', async () => {
        const { socket, peer } = await open();
        peer.close();
        await ended(socket);
        const error = await sent(socket, 'too late');
        expect((error as Error).message).toBe('WebSocket is not open: readyState 3 (CLOSED)');
      });

      test('are all run where the peer vanishes', async () => {
        const { socket, peer } = await open();
        peer.pause();
        const calls = new Tally<unknown>();
        for (let n = 0; n < 400; n++) socket.send(Buffer.alloc(64 * 1024), (e) => calls.add(e));
        peer.terminate();
        await ended(socket);
        await calls.reached(400, 'callback');
        expect(calls.count).toBe(400);
        expect(types.isNativeError(calls.all.at(-1))).toBe(true);
      });
    });

    describe('Events', () => {
      test('Listeners of EventEmitter hear messages as Buffers with their kind', async () => {
        const { socket, peer } = await open();
        peer.send('text');
        const [text, textIsBinary] = await event<[Buffer, boolean]>(socket, 'message');
        expect([text, textIsBinary]).toEqual([Buffer.from('text'), false]);
        peer.send(Buffer.from([1]));
        const [binary, isBinary] = await event<[Buffer, boolean]>(socket, 'message');
        expect([binary, isBinary]).toEqual([Buffer.from([1]), true]);
      });

      test('Listeners of EventTarget hear messages as browsers have them', async () => {
        const { socket, peer } = await open();
        const heard = new Tally<unknown>();
        const listener = ({
          data,
          type,
          target,
        }: {
          data: unknown;
          type: string;
          target: unknown;
        }): void => {
          heard.add([type, data, target === socket]);
        };
        const first = new Tally<unknown>();
        socket.addEventListener('message', listener);
        socket.addEventListener('message', ({ data }) => first.add(data), { once: true });
        // oxlint-disable-next-line unicorn/prefer-add-event-listener -- this is what is tested
        socket.onmessage = ({ data }) => heard.add(['onmessage', data]);
        peer.send('1');
        await heard.reached(2, 'event');
        expect(heard.all).toEqual([
          ['message', '1', true],
          ['onmessage', '1'],
        ]);
        socket.removeEventListener('message', listener);
        // oxlint-disable-next-line unicorn/prefer-add-event-listener -- this is what is tested
        socket.onmessage = ({ data }) => heard.add(['replaced', data]);
        peer.send('2');
        await heard.reached(3, 'event');
        expect(heard.all[2]).toEqual(['replaced', '2']);
        expect(first.all).toEqual(['1']);
      });

      test('onclose and addEventListener tell code, reason and whether it was clean', async () => {
        const { socket, peer } = await open();
        const heard = new Tally<unknown>();
        // oxlint-disable-next-line unicorn/prefer-add-event-listener -- this is what is tested
        socket.onclose = ({ code, reason, wasClean, type }) => {
          heard.add({ code, reason, wasClean, type });
        };
        socket.addEventListener('close', ({ code }) => heard.add(code));
        peer.close(4001, 'off');
        await heard.reached(2, 'event');
        expect(heard.all).toEqual([
          { code: 4001, reason: 'off', wasClean: true, type: 'close' },
          4001,
        ]);
      });

      test('Async iterators and once() of node:events work', async () => {
        const { socket, peer } = await open();
        const messages: string[] = [];
        const before = socket.listenerCount('message');
        const iterator = on(socket, 'message');
        peer.send('1');
        peer.send('2');
        for await (const [data] of iterator) {
          messages.push(String(data));
          if (messages.length === 2) break;
        }
        expect(messages).toEqual(['1', '2']);
        expect(socket.listenerCount('message')).toBe(before);
      });

      test('removeAllListeners() of one event leaves the app deaf to that one only', async () => {
        const { socket, peer } = await open();
        const heard = new Tally<string>();
        socket.on('message', () => heard.add('message'));
        socket.on('ping', () => heard.add('ping'));
        socket.removeAllListeners('message');
        peer.send('x');
        peer.ping();
        await heard.reached(1, 'event');
        expect(heard.all).toEqual(['ping']);
      });

      test('A listener that throws does not silence the next message', async () => {
        const { socket, peer } = await open();
        const heard = new Tally<string>();
        socket.on('message', (data: Buffer) => heard.add(data.toString()));
        peer.send('1');
        peer.send('2');
        await heard.reached(2, 'message');
        expect(heard.all).toEqual(['1', '2']);
      });

      test('A frame that breaks the protocol is told as an error with its code', async () => {
        const { socket, peer } = await open();
        const failure = event<[Error & { code: string }]>(socket, 'error');
        const closing = ended(peer);
        streamOf(peer)!.write(Buffer.from([0xb1, 0x80, 0, 0, 0, 0]));
        expect((await failure)[0].code).toBe('WS_ERR_UNEXPECTED_RSV_2_3');
        expect(await closing).toMatchObject({ code: 1002 });
      });
    });

    describe('Closing', () => {
      test('close() without a code is seen as 1005', async () => {
        const { socket, peer } = await open();
        socket.close();
        expect(await ended(peer)).toEqual({ code: 1005, reason: '' });
      });

      test.each([
        [1000, 'done', 'done'],
        [1001, undefined, ''],
        [1013, Buffer.from('later'), 'later'],
        [4999, 'x'.repeat(123), 'x'.repeat(123)],
      ])('close(%s) reaches the peer with its reason', async (code, reason, seen) => {
        const { socket, peer } = await open();
        const own = ended(socket);
        socket.close(code, reason);
        expect(await ended(peer)).toEqual({ code, reason: seen });
        expect(await own).toEqual({ code, reason: seen });
      });

      test('readyState is CLOSING from the call on, and CLOSED at the end', async () => {
        const { socket } = await open();
        expect(socket.readyState).toBe(socket.OPEN);
        const end = ended(socket);
        socket.close();
        expect(socket.readyState).toBe(socket.CLOSING);
        await end;
        expect(socket.readyState).toBe(socket.CLOSED);
      });

      test('readyState is no longer OPEN where the peer has closed', async () => {
        const { socket, peer } = await open();
        const states: number[] = [];
        socket.once('close', () => states.push(socket.readyState));
        peer.close(4001);
        expect(await ended(socket)).toEqual({ code: 4001, reason: '' });
        expect(states).toEqual([socket.CLOSED]);
      });

      test('The code of the peer is answered, and told on both sides', async () => {
        const { socket, peer } = await open();
        const own = ended(socket);
        peer.close(4001, 'off');
        expect(await own).toEqual({ code: 4001, reason: 'off' });
        expect(peer.readyState).not.toBe(peer.OPEN);
      });

      test('The peer that closes without a code is answered without one', async () => {
        const { socket, peer } = await open();
        const [own, theirs] = [ended(socket), ended(peer)];
        peer.close();
        expect(await own).toEqual({ code: 1005, reason: '' });
        expect(await theirs).toEqual({ code: 1005, reason: '' });
      });

      test('close() twice, and after the end, does nothing more', async () => {
        const { socket, peer } = await open();
        const closes = new Tally();
        socket.on('close', () => closes.add());
        const end = ended(peer);
        socket.close(4000);
        socket.close(4000);
        expect(await end).toMatchObject({ code: 4000 });
        await closes.reached(1, 'close');
        socket.close(4000);
        socket.terminate();
        expect(closes.count).toBe(1);
      });

      test('terminate() destroys the socket: 1006 on both sides', async () => {
        const { socket, peer } = await open();
        const [own, theirs] = [ended(socket), ended(peer)];
        socket.terminate();
        expect(socket.readyState).toBe(socket.CLOSING);
        expect(await own).toEqual({ code: 1006, reason: '' });
        expect(await theirs).toEqual({ code: 1006, reason: '' });
      });

      test('terminate() after close() does not wait for the peer', async () => {
        const { socket, peer } = await open();
        peer.pause();
        const end = ended(socket);
        socket.close(4000);
        socket.terminate();
        expect(await end).toMatchObject({ code: 1006 });
      });
    });

    describe('Control frames', () => {
      test('ping() and pong() take data, a mask and a callback', async () => {
        const { socket, peer } = await open();
        const pings = new Tally<string>();
        peer.on('ping', (data) => pings.add(data.toString()));
        const pongs = new Tally<string>();
        peer.on('pong', (data) => pongs.add(data.toString()));
        const written = new Tally<unknown>();
        socket.ping();
        socket.ping('a');
        socket.ping(7, client);
        socket.ping(Buffer.from('b'), undefined, (error) => written.add(error));
        invoke(socket, 'ping', (error: unknown) => written.add(error));
        invoke(socket, 'ping', 'c', (error: unknown) => written.add(error));
        socket.pong('unasked');
        await pings.reached(6, 'ping');
        await pongs.reached(1, 'pong');
        await written.reached(3, 'callback');
        expect(pings.all).toEqual(['', 'a', '7', 'b', '', 'c']);
        expect(pongs.all).toEqual(['unasked']);
        expect(written.all.every((error) => !error)).toBe(true);
      });

      test('The pong to a ping of the app is told to the app', async () => {
        const { socket } = await open();
        const pong = event<[Buffer]>(socket, 'pong');
        socket.ping('mine');
        expect((await pong)[0].toString()).toBe('mine');
      });

      test('A ping of the peer is answered and told', async () => {
        const { socket, peer } = await open();
        const ping = event<[Buffer]>(socket, 'ping');
        const pong = event<[Buffer]>(peer, 'pong');
        peer.ping('theirs');
        expect((await ping)[0].toString()).toBe('theirs');
        expect((await pong)[0].toString()).toBe('theirs');
      });

      test('With autoPong: false it is only told', async () => {
        const { socket, peer } = await open({ autoPong: false });
        const pongs = new Tally<string>();
        peer.on('pong', (data) => pongs.add(data.toString()));
        const ping = event<[Buffer]>(socket, 'ping');
        peer.ping('theirs');
        await ping;
        socket.pong('by hand');
        await pongs.reached(1, 'pong');
        expect(pongs.all).toEqual(['by hand']);
      });

      test('The callbacks of ping() and pong() get an error after close()', async () => {
        const { socket } = await open();
        socket.close();
        await nextMacrotask();
        const errors = new Tally<unknown>();
        socket.ping('x', undefined, (error) => errors.add(error));
        socket.pong('x', undefined, (error) => errors.add(error));
        await errors.reached(2, 'callback');
        for (const error of errors.all) {
          expect((error as Error).message).toBe('WebSocket is not open: readyState 2 (CLOSING)');
        }
      });
    });

    describe('Reading', () => {
      test('pause() holds messages back until resume()', async () => {
        const { socket, peer } = await open();
        const received = inbox(socket);
        peer.send('before');
        await received.reached(1, 'message');
        socket.pause();
        expect(socket.isPaused).toBe(true);
        await sent(peer, 'while paused');
        const pong = event(peer, 'pong');
        socket.send('still writing');
        await event(peer, 'message');
        expect(received.count).toBe(1);
        socket.resume();
        expect(socket.isPaused).toBe(false);
        await received.reached(2, 'message');
        peer.ping();
        await pong;
      });

      test.each([
        ['nodebuffer', (data: unknown) => Buffer.isBuffer(data)],
        [
          'arraybuffer',
          (data: unknown) => Object.prototype.toString.call(data) === '[object ArrayBuffer]',
        ],
        [
          'fragments',
          (data: unknown) => Array.isArray(data) && data.every((part) => Buffer.isBuffer(part)),
        ],
        ...(sendsBlobs ? [['blob', (data: unknown) => data instanceof Blob] as const] : []),
      ])('binaryType %s is kept to', async (type, is) => {
        const { socket, peer } = await open();
        socket.binaryType = type as 'nodebuffer';
        expect(socket.binaryType).toBe(type);
        const message = event<[unknown, boolean]>(socket, 'message');
        peer.send(Buffer.from([1, 2, 3]));
        const [data, isBinary] = await message;
        expect(is(data)).toBe(true);
        expect(isBinary).toBe(true);
      });
    });

    describe('bufferedAmount', () => {
      test('grows while the peer does not read, and returns to 0', async () => {
        const { socket, peer } = await open();
        expect(socket.bufferedAmount).toBe(0);
        peer.pause();
        const message = Buffer.alloc(256 * 1024);
        let before = -1;
        for (let n = 0; n < 100; n++) {
          socket.send(message);
          expect(socket.bufferedAmount).toBeGreaterThanOrEqual(before);
          before = socket.bufferedAmount;
        }
        expect(before).toBeGreaterThan(10_000_000);
        const received = inbox(peer);
        const written = sent(socket, 'last');
        peer.resume();
        await received.reached(101, 'message');
        await written;
        expect(socket.bufferedAmount).toBe(0);
      });
    });

    describe('createWebSocketStream()', () => {
      test('carries what is piped through it, both ways, and ends with 1005', async () => {
        const { socket, peer } = await open();
        const stream = createWebSocketStream(socket);
        const far = createWebSocketStream(peer);
        far.pipe(far);
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        const sentBytes = Buffer.alloc(3_000_000, 'abcdefg');
        const end = ended(socket);
        for (let at = 0; at < sentBytes.length; at += 60_000) {
          stream.write(sentBytes.subarray(at, at + 60_000));
        }
        const all = new Promise<void>((resolve) => {
          stream.on('data', () => {
            if (chunks.reduce((sum, { length }) => sum + length, 0) === sentBytes.length) resolve();
          });
        });
        await within(all, 'the stream to echo');
        stream.end();
        expect(await end).toMatchObject({ code: 1005 });
        expect(Buffer.concat(chunks).equals(sentBytes)).toBe(true);
      });

      test('terminates the socket where it is destroyed', async () => {
        const { socket, peer } = await open();
        const stream = createWebSocketStream(socket);
        stream.on('error', () => {});
        const end = ended(peer);
        stream.destroy();
        expect(await end).toMatchObject({ code: 1006 });
      });

      test('waits for a reader that is slow, by the means of TCP', async () => {
        const { socket, peer } = await open();
        const stream = createWebSocketStream(socket, { readableHighWaterMark: 1_024 });
        for (let n = 0; n < 50; n++) peer.send(Buffer.alloc(10_000, n));
        await new Promise((resolve) => void stream.once('readable', resolve));
        expect(socket.isPaused).toBe(true);
        let length = 0;
        const all = new Promise<void>((resolve) => {
          stream.on('data', (chunk: Buffer) => {
            length += chunk.length;
            if (length === 500_000) resolve();
          });
        });
        await within(all, 'the stream to be read');
        expect(length).toBe(500_000);
      });
    });

    test('A socket can be inspected', async () => {
      const { socket } = await open();
      expect(inspect(socket, { depth: 0 })).toContain('WebSocket');
      expect(socket.protocol).toBe('');
      expect(typeof socket.url).toBe(client ? 'string' : 'undefined');
    });
  });
}
