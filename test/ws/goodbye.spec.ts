import { beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { FrameBatch } from '../../src/ws/frame-batch.js';
import { pingOf, TEXT } from '../../src/ws/frame.js';
import { Goodbye } from '../../src/ws/goodbye.js';
import { Tally } from '../support/waiting.js';
import { socketPair } from './sockets.js';

const PING = pingOf(Buffer.from('read?')).toString('latin1');
const CLOSE = '\x88\x02\x03\xe9';

/** More than the kernel keeps for a peer that reads nothing. */
const TOO_MUCH = 16 * 1024 * 1024;

/** As ws makes the frame: in two pieces, told of the second. */
function goodbye(told: Tally<unknown>): Goodbye {
  const made = new Goodbye(pingOf(Buffer.from('read?')));
  made.cork();
  made.write(Buffer.from(CLOSE.slice(0, 2), 'latin1'));
  made.write(Buffer.from(CLOSE.slice(2), 'latin1'), (error) => told.add(error ?? undefined));
  made.uncork();
  return made;
}

describe('Goodbye', () => {
  let server: Socket;
  let client: Socket;
  let told: Tally<unknown>;

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
    goodbye(new Tally()).leave((await socketPair()).server, undefined);
  });

  test('leaves as one write, and tells at once where the kernel has taken it', async () => {
    const { bytesWritten } = server;
    goodbye(told).leave(server, undefined);
    expect(told.all).toEqual([undefined]);
    expect([server.writableLength, server.bytesWritten - bytesWritten]).toEqual([0, 11]);
    expect(await received()).toBe(PING + CLOSE);
    expect(told.count).toBe(1);
  });

  test('goes behind what a batch holds', async () => {
    const batch = new FrameBatch(server, () => {});
    batch.add(TEXT, 'a');
    goodbye(told).leave(server, batch);
    expect(told.all).toEqual([undefined]);
    expect(await received()).toBe(`\x81\x01a${PING}${CLOSE}`);
  });

  test.each([true, false])(
    'tells once the kernel has taken it, where it does not at once (batch: %s)',
    async (batched) => {
      const batch = batched ? new FrameBatch(server, () => {}) : undefined;
      server.write(Buffer.alloc(TOO_MUCH, 'x'));
      goodbye(told).leave(server, batch);
      expect(told.all).toEqual([]);
      expect(await received()).toBe('x'.repeat(TOO_MUCH) + PING + CLOSE);
      expect(await told.at(0, 'callback')).toBeUndefined();
      expect(told.count).toBe(1);
    },
  );

  test('tells of a socket that is gone', async () => {
    server.destroy();
    goodbye(told).leave(server, undefined);
    expect(await told.at(0, 'callback')).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  });

  test('leaves by a stream of any kind', async () => {
    const stream = new PassThrough();
    goodbye(told).leave(stream, undefined);
    expect(await told.at(0, 'callback')).toBeUndefined();
    expect((stream.read() as Buffer).toString('latin1')).toBe(PING + CLOSE);
  });
});
