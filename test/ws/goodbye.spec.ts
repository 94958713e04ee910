/* oxlint-disable no-underscore-dangle -- ws's own names. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { FrameBatch } from '../../src/ws/frame-batch.js';
import { pingOf, TEXT } from '../../src/ws/frame.js';
import { Goodbye } from '../../src/ws/goodbye.js';
import { divertFrames, type FrameSink } from '../../src/ws/ws.internals.js';
import { Tally } from '../support/waiting.js';
import { socketPair } from './sockets.js';

const PING = pingOf(Buffer.from('read?')).toString('latin1');
const CLOSE = '\x88\x02\x03\xe9';

/** More than the kernel keeps for a peer that reads nothing. */
const TOO_MUCH = 16 * 1024 * 1024;

describe('Goodbye', () => {
  let server: Socket;
  let client: Socket;
  let told: Tally<string>;

  /** As ws makes the frame: in two pieces, told of the second. */
  const leave = (stream: Socket, batch?: FrameBatch): void => {
    const goodbye = new Goodbye(stream, batch, pingOf(Buffer.from('read?')));
    goodbye.cork();
    goodbye.write(Buffer.from(CLOSE.slice(0, 2), 'latin1'));
    goodbye.write(Buffer.from(CLOSE.slice(2), 'latin1'), (error) => {
      told.add(error ? String((error as NodeJS.ErrnoException).code) : 'written');
    });
    goodbye.uncork();
    goodbye.leave();
  };

  const received = async (): Promise<string> => {
    const chunks: Buffer[] = [];
    client.on('data', (chunk: Buffer) => chunks.push(chunk));
    server.end();
    await once(client, 'end');
    return Buffer.concat(chunks).toString('latin1');
  };

  beforeEach(async () => {
    ({ server, client } = await socketPair());
    told = new Tally();
    // Node makes the first write, from which it is learnt how to do without it.
    const other = await socketPair();
    leave(other.server);
    await told.reached(1, 'callback');
    told = new Tally();
  });

  test('leaves as one write, and tells at once where the kernel has taken it', async () => {
    const { bytesWritten } = server;
    leave(server);
    expect(told.all).toEqual(['written']);
    expect([server.writableLength, server.bytesWritten - bytesWritten]).toEqual([0, 11]);
    expect(await received()).toBe(PING + CLOSE);
    expect(told.count).toBe(1);
  });

  test('goes behind what a batch holds', async () => {
    const batch = new FrameBatch(server, () => {});
    batch.add(TEXT, 'a');
    leave(server, batch);
    expect(told.all).toEqual(['written']);
    expect(await received()).toBe(`\x81\x01a${PING}${CLOSE}`);
  });

  test.each([true, false])(
    'tells once the kernel has taken it, where it does not at once (batch: %s)',
    async (batched) => {
      const batch = batched ? new FrameBatch(server, () => {}) : undefined;
      server.write(Buffer.alloc(TOO_MUCH, 'x'));
      leave(server, batch);
      expect(told.all).toEqual([]);
      expect(await received()).toBe('x'.repeat(TOO_MUCH) + PING + CLOSE);
      expect(await told.at(0, 'callback')).toBe('written');
      expect(told.count).toBe(1);
    },
  );

  test('tells of a socket that is gone', async () => {
    server.destroy();
    leave(server);
    expect(await told.at(0, 'callback')).toBe('ERR_STREAM_DESTROYED');
  });

  test('serves open sockets before whose write() nobody stands, but their own batch', () => {
    expect(Goodbye.serves(server, undefined)).toBe(true);
    const batch = new FrameBatch(server, () => {});
    expect(Goodbye.serves(server, batch)).toBe(true);
    const write = server.write.bind(server);
    server.write = write;
    expect(Goodbye.serves(server, batch)).toBe(false);
    client.write = client.write.bind(client);
    expect(Goodbye.serves(client, undefined)).toBe(false);
  });

  test('serves none that was ended', () => {
    server.end();
    expect(Goodbye.serves(server, undefined)).toBe(false);
  });
});

function socketWith(sender: object | undefined, stream: object): WebSocket {
  return { _sender: sender, _socket: stream } as unknown as WebSocket;
}

describe('What ws writes', () => {
  const sink = {} as FrameSink;

  test('goes elsewhere for as long as it is asked for, also where ws throws', () => {
    const stream = {};
    const sender = { _socket: stream };
    const seen: unknown[] = [];
    expect(divertFrames(socketWith(sender, stream), sink, () => seen.push(sender._socket))).toBe(
      true,
    );
    const failure = new Error('no');
    const fail = (): void => {
      throw failure;
    };
    expect(() => divertFrames(socketWith(sender, stream), sink, fail)).toThrow(failure);
    expect(seen).toEqual([sink]);
    expect(sender._socket).toBe(stream);
  });

  test.each([
    ['has no sender', undefined],
    ['has one that writes to something else', { _socket: {} }],
  ])('stays where it is, where ws %s', (_what, sender) => {
    let called = 0;
    expect(divertFrames(socketWith(sender, {}), sink, () => called++)).toBe(false);
    expect(called).toBe(0);
  });
});
