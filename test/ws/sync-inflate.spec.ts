import { beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, createInflateRaw, deflateRawSync, type InflateRaw } from 'node:zlib';
import type { Zlib } from '../../src/ws/sync-deflate.js';
import { inflateAtOnce } from '../../src/ws/sync-inflate.js';
import { afterTest } from '../support/cleanup.js';

function deflated(text: string): Buffer {
  return deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
}

describe('A small message', () => {
  let stream: InflateRaw & Zlib;
  let pieces: Buffer[];
  beforeEach(() => {
    stream = createInflateRaw() as InflateRaw & Zlib;
    afterTest(() => stream.close());
    pieces = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
  });

  function read(): string {
    return Buffer.concat(pieces).toString();
  }

  test('is there at once, in memory of its own', () => {
    expect(inflateAtOnce(stream, deflated('one '))).toBeUndefined();
    expect(inflateAtOnce(stream, deflated('two'))).toBeUndefined();
    expect(read()).toBe('one two');
    expect(pieces.map(({ buffer }) => buffer.byteLength)).toEqual([4, 3]);
  });

  test('that is none is left to the stream', () => {
    const data = deflated(randomBytes(4096).toString('latin1'));
    expect(inflateAtOnce(stream, data)).toBe(data);
    expect(pieces).toEqual([]);
  });

  test('that becomes a large one is left to the stream where it has become too much', async () => {
    const text = 'x'.repeat(100_000);
    const rest = inflateAtOnce(stream, deflated(text));
    expect(pieces.map(({ length }) => length)).toEqual([16 * 1024]);
    await new Promise((resolve) => stream.write(rest, resolve));
    expect(read()).toBe(text);
  });

  test('that becomes too much for who listens goes no further', () => {
    const enough = (): void => void stream.removeAllListeners('data');
    stream.on('data', enough);
    expect(inflateAtOnce(stream, deflated('x'.repeat(100_000)))).toBeUndefined();
    expect(read()).toHaveLength(16 * 1024);
  });

  test('that is wrong fails the stream', async () => {
    const failed = once(stream, 'error');
    expect(inflateAtOnce(stream, Buffer.from([0xff, 0xff]))).toBeUndefined();
    expect(await failed).toMatchObject([{ code: 'Z_DATA_ERROR' }]);
    const data = deflated('behind');
    expect(inflateAtOnce(stream, data)).toBe(data);
  });

  test('that ends the stream ends it', async () => {
    const ended = once(stream, 'end');
    const last = Buffer.concat([deflateRawSync('the last'), Buffer.from([0, 0, 0, 0xff, 0xff])]);
    expect(inflateAtOnce(stream, last)).toBeUndefined();
    await ended;
    expect(read()).toBe('the last');
  });
});
