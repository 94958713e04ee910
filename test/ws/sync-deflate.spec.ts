import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { constants, inflateRawSync } from 'node:zlib';
import { deflated, SyncDeflate } from '../../src/ws/sync-deflate.js';

/** What a payload has behind it for who reads it (RFC 7692 §7.2.2). */
const TRAILER = Buffer.from([0, 0, 0xff, 0xff]);

function inflated(payloads: readonly Uint8Array[]): string {
  const whole = Buffer.concat(payloads.flatMap((payload) => [payload, TRAILER]));
  return inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH }).toString('latin1');
}

/** A payload in memory that has just the room for it. */
function payloadOf(deflate: SyncDeflate, data: Uint8Array, offset = 0): Buffer | undefined {
  const target = Buffer.alloc(offset + SyncDeflate.roomFor(data.length));
  const end = deflate.write(data, target, offset);
  return end === undefined ? undefined : target.subarray(offset, end);
}

const settings = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
});
const message = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3 * 1024 }),
  fc.string({ minLength: 1, maxLength: 1024 }).map((text) => Buffer.from(text)),
  fc.integer({ min: 1, max: 3 * 1024 }).map((length) => Buffer.alloc(length, 'x')),
);

describe('SyncDeflate', () => {
  test('works with this version of Node', () => {
    expect(SyncDeflate.supported).toBe(true);
  });

  test('is read as one stream, whatever it is given, in the room that it asks for', () => {
    const messages = fc.array(message, { minLength: 1, maxLength: 8 });
    const property = fc.property(settings, messages, (options, all) => {
      const deflate = new SyncDeflate(options);
      const payloads = all.map((data) => payloadOf(deflate, data, 4)!);
      deflate.close();
      expect(inflated(payloads)).toBe(Buffer.concat(all).toString('latin1'));
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('refers to what came before until it is reset', () => {
    const deflate = new SyncDeflate({});
    const text = Buffer.from('one text that does not repeat itself');
    const lengths = [payloadOf(deflate, text), payloadOf(deflate, text)].map((all) => all!.length);
    expect(lengths[1]).toBeLessThan(lengths[0]! / 3);
    deflate.reset();
    expect(payloadOf(deflate, text)!.length).toBe(lengths[0]);
    deflate.close();
  });

  test('writes nothing where there is too little room, and serves again once it is reset', () => {
    const deflate = new SyncDeflate({});
    const noise = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 7919) % 251));
    expect(deflate.write(noise, Buffer.alloc(100), 0)).toBeUndefined();
    deflate.reset();
    expect(inflated([payloadOf(deflate, noise)!])).toBe(noise.toString('latin1'));
    deflate.close();
  });

  test('writes nothing once it is closed', () => {
    const deflate = new SyncDeflate({});
    expect(deflate.closed).toBe(false);
    deflate.close();
    deflate.reset();
    expect(payloadOf(deflate, Buffer.from('text'))).toBeUndefined();
    expect(deflate.closed).toBe(true);
  });
});

test('deflated() refers to nothing', () => {
  const data = Buffer.from('news '.repeat(10));
  expect(deflated(data)).toEqual(deflated(data));
  expect(inflated([deflated(data)])).toBe(data.toString());
});
