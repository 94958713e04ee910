import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { fitReason, MAX_REASON_BYTES } from '../../src/core/close-reason.js';

const bytesOf = (text: string): number => Buffer.byteLength(text);
const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('the reason of a close', () => {
  it('has room for 123 bytes', () => {
    expect(MAX_REASON_BYTES).toBe(123);
  });

  it.each([
    ['nothing', ''],
    ['a short one', 'bye'],
    ['123 bytes of one each', 'x'.repeat(123)],
    ['61 characters of two bytes', 'é'.repeat(61)],
    ['41 characters of three bytes', '€'.repeat(41)],
    ['30 characters of four bytes', '😀'.repeat(30)],
  ])('stays as it is: %s', (_name, reason) => {
    expect(fitReason(reason)).toBe(reason);
  });

  it.each([
    ['124 bytes of one each', 'x'.repeat(124), 'x'.repeat(123)],
    ['62 characters of two bytes', 'é'.repeat(62), 'é'.repeat(61)],
    ['42 characters of three bytes', '€'.repeat(42), '€'.repeat(41)],
    ['31 characters of four bytes', '😀'.repeat(31), '😀'.repeat(30)],
    ['an emoji that begins at the last byte', `${'x'.repeat(122)}😀`, 'x'.repeat(122)],
    ['an emoji of which three bytes would fit', `${'x'.repeat(120)}😀`, 'x'.repeat(120)],
    ['an emoji that just fits, and more', `${'x'.repeat(119)}😀!`, `${'x'.repeat(119)}😀`],
  ])('is cut before the character that does not fit: %s', (_name, reason, fitted) => {
    expect(fitReason(reason)).toBe(fitted);
  });

  it.each([
    ['a high surrogate alone', 'a\uD83Db', 'a\uFFFDb'],
    ['a low surrogate alone', 'a\uDE00b', 'a\uFFFDb'],
    ['two in the wrong order', '\uDE00\uD83D', '\uFFFD\uFFFD'],
    ['one in a long reason', `\uD83D${'x'.repeat(150)}`, `\uFFFD${'x'.repeat(120)}`],
  ])('is mended where it has half a character: %s', (_name, reason, mended) => {
    expect(fitReason(reason)).toBe(mended);
  });

  it('always fits, is well-formed, and keeps as many characters as it can', () => {
    fc.assert(
      fc.property(anyText, (reason) => {
        const fitted = fitReason(reason);
        const whole = reason.toWellFormed();
        expect(whole.startsWith(fitted)).toBe(true);
        expect(fitted.isWellFormed()).toBe(true);
        expect(bytesOf(fitted)).toBeLessThanOrEqual(123);
        const [next = ''] = whole.slice(fitted.length);
        if (next) expect(bytesOf(fitted + next)).toBeGreaterThan(123);
      }),
    );
  });

  it('does not change when it is fitted again', () => {
    fc.assert(
      fc.property(anyText, (reason) => {
        expect(fitReason(fitReason(reason))).toBe(fitReason(reason));
      }),
    );
  });
});
