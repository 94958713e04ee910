/* oxlint-disable no-underscore-dangle -- the names are those of ws. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BINARY, PONG, TEXT } from '../../src/ws/frame.js';
import { MessageReader } from '../../src/ws/message-reader.js';
import { frame, Opcode } from '../support/clients/frames.js';

const MASK = Buffer.from([0x12, 0x9a, 0xfc, 0x07]);
const LIMITS = { _binaryType: 'nodebuffer', _maxPayload: 0, _skipUTF8Validation: false };

interface Read {
  readonly messages: readonly (readonly [data: string, first: number])[];
  /** Bytes that were left. */
  readonly left: number;
  readonly begun: boolean;
  readonly missing: number;
}

/** As the bytes of one read, in memory that has others before and behind. */
function read(bytes: Buffer, limits: object = {}): Read {
  const others = Buffer.alloc(20, frame(Opcode.text, 'other', { mask: MASK }));
  const memory = Buffer.concat([others, bytes, others]);
  const reader = new MessageReader(memory, 20, memory.length - 20);
  const messages: [string, number][] = [];
  while (reader.next({ ...LIMITS, ...limits })) {
    messages.push([reader.data.toString('latin1'), reader.first]);
  }
  const { begun, missing, offset } = reader;
  const rest = memory.subarray(offset, -20);
  expect(rest).toEqual(bytes.subarray(offset - 20));
  expect([memory.subarray(0, 20), memory.subarray(-20)]).toEqual([others, others]);
  return { messages, left: rest.length, begun, missing };
}

function text(payload: Buffer | string, flaws = {}): Buffer {
  return frame(Opcode.text, payload, { mask: MASK, ...flaws });
}

const lengths = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 0, max: 65_535 }),
  fc.constantFrom(0, 1, 2, 3, 4, 95, 96, 97, 98, 99, 100, 125, 126, 127, 65_535),
);
const payloads = fc.record({
  length: lengths,
  from: fc.integer({ min: 0, max: 255 }),
  step: fc.integer({ min: 1, max: 251 }),
  mask: fc.uint8Array({ minLength: 4, maxLength: 4 }),
});

describe('MessageReader', () => {
  test('reads messages of any length under any mask', () => {
    const property = fc.property(fc.array(payloads, { maxLength: 4 }), (all) => {
      const messages = all.map(({ length, from, step, mask }) => ({
        data: Buffer.from(Array.from({ length }, (_, index) => (from + index * step) & 0xff)),
        mask,
      }));
      const frames = messages.map(({ data, mask }) => frame(Opcode.binary, data, { mask }));
      const { messages: got, left } = read(Buffer.concat(frames));
      const wrong = messages.findIndex(
        ({ data }, index) => got[index]?.[0] !== data.toString('latin1'),
      );
      expect({ wrong, left, count: got.length }).toEqual({ wrong: -1, left: 0, count: all.length });
    });
    fc.assert(property, { numRuns: 200 });
  });

  test('reads text that is UTF-8, and stops before what is none', () => {
    const good = ['plain', 'né€s', '🙂'.repeat(30), 'x'.repeat(200), `${'x'.repeat(199)}é`, ''];
    const frames = good.map((payload) => text(payload));
    for (const bad of [Buffer.from([0xc3]), Buffer.alloc(200, 'x').fill(0xff, 199)]) {
      const whole = Buffer.concat([...frames, text(bad), text('behind')]);
      expect(read(whole)).toEqual({
        messages: good.map((payload) => [Buffer.from(payload).toString('latin1'), TEXT]),
        left: text(bad).length + text('behind').length,
        begun: false,
        missing: 0,
      });
      expect(read(whole, { _skipUTF8Validation: true }).messages).toHaveLength(good.length + 2);
    }
  });

  test.each([
    ['a continuation', frame(Opcode.continuation, 'x', { mask: MASK })],
    ['a fragment', text('x', { fin: false })],
    ['a ping', frame(Opcode.ping, 'x', { mask: MASK })],
    ['a pong with a reserved bit', frame(Opcode.pong, 'x', { mask: MASK, reserved: 1 })],
    ['a pong that is a fragment', frame(Opcode.pong, 'x', { mask: MASK, fin: false })],
    ['a pong that is too long', frame(Opcode.pong, 'x'.repeat(126), { mask: MASK })],
    ['a close frame', frame(Opcode.close, '', { mask: MASK })],
    ['a compressed message', text('x', { reserved: 4 })],
    ['a reserved bit', text('x', { reserved: 1 })],
    ['an opcode that nobody knows', frame(3, 'x', { mask: MASK })],
    ['no mask', text('x', { masked: false })],
    ['a length of eight bytes', text('x'.repeat(65_536))],
  ])('stops before %s', (_name, bytes) => {
    const found = read(Buffer.concat([text('before'), bytes, text('behind')]));
    const left = bytes.length + text('behind').length;
    expect(found).toEqual({ messages: [['before', TEXT]], left, begun: false, missing: 0 });
  });

  test('reads pongs among messages, whatever their bytes', () => {
    const contents = ['', '\xff\xc3', 'x'.repeat(125)];
    const pongs = contents.map((payload) =>
      frame(Opcode.pong, Buffer.from(payload, 'latin1'), { mask: MASK }),
    );
    expect(read(Buffer.concat([text('before'), ...pongs, text('behind')])).messages).toEqual([
      ['before', TEXT],
      ...contents.map((payload) => [payload, PONG]),
      ['behind', TEXT],
    ]);
  });

  test('stops before what is longer than the limit', () => {
    const messages = Buffer.concat([text('12345'), text('123456')]);
    expect(read(messages, { _maxPayload: 5 })).toMatchObject({
      messages: [['12345', TEXT]],
      left: text('123456').length,
      missing: 0,
    });
    // Before it is there.
    expect(read(text('123456').subarray(0, 7), { _maxPayload: 5 }).missing).toBe(0);
  });

  test('reads binary messages only where they are to be Buffers', () => {
    const binary = frame(Opcode.binary, 'x', { mask: MASK });
    expect(read(binary).messages).toEqual([['x', BINARY]]);
    expect(read(binary, { _binaryType: 'arraybuffer' })).toMatchObject({ messages: [], left: 7 });
    expect(read(binary.subarray(0, 1), { _binaryType: 'arraybuffer' }).begun).toBe(false);
  });

  test.each([
    ['short', text('12345'), 6],
    ['long', text('x'.repeat(300)), 8],
    ['control', frame(Opcode.pong, '12345', { mask: MASK }), 6],
  ])('says what a %s message lacks, wherever it is cut', (_name, bytes, header) => {
    for (let cut = 1; cut < bytes.length; cut++) {
      expect(read(Buffer.concat([text('before'), bytes.subarray(0, cut)]))).toEqual({
        messages: [['before', TEXT]],
        left: cut,
        begun: cut < header,
        missing: cut < header ? 0 : bytes.length - cut,
      });
    }
  });
});
