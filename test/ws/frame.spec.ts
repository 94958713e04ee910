import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as ws from 'ws';
import { BINARY, frameOf, HEADER_ROOM, TEXT, writeFrame } from '../../src/ws/frame.js';

/** As ws's own sender makes it. */
function expected(data: string | Buffer): Buffer {
  const { Sender } = ws as unknown as {
    Sender: { frame(data: Buffer, options: object): Buffer[] };
  };
  const opcode = typeof data === 'string' ? 1 : 2;
  const payload = Buffer.from(data as string);
  return Buffer.concat(Sender.frame(payload, { fin: true, opcode, mask: false }));
}

function framed(data: string | Buffer, offset = 3): Buffer {
  const target = Buffer.alloc(offset + HEADER_ROOM + 3 * data.length);
  const end = writeFrame(target, offset, typeof data === 'string' ? TEXT : BINARY, data);
  return target.subarray(offset, end);
}

describe('A frame', () => {
  test.each([0, 1, 124, 125, 126, 127, 4096, 65_535, 65_536, 2 ** 24 + 1])(
    'of %i bytes is that of ws',
    (size) => {
      const [text, data] = ['x'.repeat(size), Buffer.alloc(size, 7)];
      for (const frame of [framed(text), frameOf(TEXT, text)])
        expect(frame.equals(expected(text))).toBe(true);
      for (const frame of [framed(data), frameOf(BINARY, data)])
        expect(frame.equals(expected(data))).toBe(true);
    },
  );

  test.each([41, 42, 62, 63, 124, 125, 126, 21_845, 32_768])(
    'of %i wide characters is that of ws',
    (size) => {
      for (const character of ['é', '€', '\u{1F600}', '\uD800', '\0']) {
        const text = character.repeat(size);
        for (const frame of [framed(text), frameOf(TEXT, text)])
          expect(frame.equals(expected(text))).toBe(true);
      }
    },
  );

  test('of any text is that of ws, in the room it is said to need', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 });
    fc.assert(fc.property(text, (data) => expect(framed(data)).toEqual(expected(data))));
  });
});
