import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { isSendableCloseCode, severityOf } from '../../src/core/close-code.js';
import {
  decidingRequest,
  normalizeClose,
  type CloseRequest,
} from '../../src/core/close-request.js';

const OPTIONS = { at: 1_700_000_000_000, handlers: 'abort' } as const;
const close = (code?: unknown, reason?: unknown) => normalizeClose(code, reason, OPTIONS);

describe('the arguments of a close', () => {
  it('are taken as they are where a close frame can carry them', () => {
    expect(close(4001, 'kicked')).toEqual({
      request: {
        code: 4001,
        reason: 'kicked',
        precedence: 30,
        handlers: 'abort',
        at: 1_700_000_000_000,
      },
      faults: [],
    });
  });

  it('say what becomes of handlers', () => {
    const { request } = normalizeClose(1001, '', { at: 7, handlers: 'finish' });
    expect(request).toEqual({
      code: 1001,
      reason: '',
      precedence: 20,
      handlers: 'finish',
      at: 7,
    });
  });

  it.each([undefined, 1005])('ask for a frame without a code: %p', (code) => {
    expect(close(code, 'lost with the code')).toMatchObject({
      request: { code: undefined, reason: '', precedence: 0 },
      faults: [],
    });
  });

  it.each([
    0,
    999,
    1004,
    1006,
    1015,
    2999,
    5000,
    NaN,
    Infinity,
    1000.5,
    '4000',
    null,
    true,
    {},
    Symbol('code'),
    10n,
  ])('become 1011 of the lowest severity where the code is invalid: %p', (code) => {
    expect(close(code, 'why')).toMatchObject({
      request: { code: 1011, reason: 'why', precedence: 0 },
      faults: ['code'],
    });
  });

  it.each([1000, 1003, 1007, 1011, 1012, 1014, 3000, 4999])('keep the valid code %d', (code) => {
    expect(close(code)).toMatchObject({
      request: { code, reason: '', precedence: severityOf(code) },
      faults: [],
    });
  });

  it.each([undefined, null, ''])('need no reason: %p', (reason) => {
    expect(close(1000, reason)).toMatchObject({ request: { reason: '' }, faults: [] });
  });

  it.each([
    ['too long', 'é'.repeat(62), 'é'.repeat(61)],
    ['ill-formed', 'x\uD800', 'x\uFFFD'],
    ['no string', 42, ''],
    ['an object', { toString: () => 'never called' }, ''],
    ['false', false, ''],
  ])('have their reason mended, and it is told: %s', (_name, reason, mended) => {
    expect(close(1000, reason)).toMatchObject({
      request: { code: 1000, reason: mended },
      faults: ['reason'],
    });
  });

  it('tell of both faults at once', () => {
    expect(close('4000', 'x'.repeat(124))).toMatchObject({
      request: { code: 1011, reason: 'x'.repeat(123) },
      faults: ['code', 'reason'],
    });
  });

  it.each([
    ['a Buffer', Buffer.from('grüße'), 'grüße', []],
    ['a Uint8Array', new TextEncoder().encode('grüße'), 'grüße', []],
    ['an empty Buffer', Buffer.alloc(0), '', []],
    ['a Buffer that is too long', Buffer.alloc(124, 'x'), 'x'.repeat(123), ['reason']],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0xff]), 'a\uFFFD', ['reason']],
    ['as many bytes, but others', Buffer.from([0xf0, 0x9f, 0x98]), '\uFFFD', ['reason']],
    ['a byte order mark', Buffer.from('\uFEFFx'), 'x', ['reason']],
  ])('may give the reason as bytes: %s', (_name, reason, text, faults) => {
    expect(close(1000, reason)).toMatchObject({ request: { reason: text }, faults });
  });

  it('may give the bytes of a character that can stand in for another', () => {
    expect(close(1000, Buffer.from('\uFFFD'))).toMatchObject({
      request: { reason: '\uFFFD' },
      faults: [],
    });
  });

  it.each([0, -5, 35, 1000])('may set a precedence of their own: %d', (precedence) => {
    const { request } = normalizeClose(1011, '', { ...OPTIONS, precedence });
    expect(request.precedence).toBe(precedence);
  });

  it('have the precedence of their code where none is set', () => {
    const { request } = normalizeClose(1011, '', { ...OPTIONS, precedence: undefined });
    expect(request.precedence).toBe(40);
  });

  it('make a request that can be sent, whatever they are', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (code, reason) => {
        const { request } = close(code, reason);
        expect(request.code === undefined || isSendableCloseCode(request.code)).toBe(true);
        expect(Buffer.byteLength(request.reason)).toBeLessThanOrEqual(123);
        expect(request.code !== undefined || request.reason === '').toBe(true);
      }),
    );
  });
});

const requestOf = (precedence: number): CloseRequest => ({
  code: 1000,
  reason: '',
  precedence,
  handlers: 'abort',
  at: 0,
});
const decide = (...precedences: number[]): number => decidingRequest(precedences.map(requestOf));

describe('of several requests', () => {
  it('the only one decides', () => {
    expect(decide(10)).toBe(0);
  });

  it('the most severe decides, wherever it stands', () => {
    expect(decide(40, 10, 20)).toBe(0);
    expect(decide(10, 40, 20)).toBe(1);
    expect(decide(10, 20, 40)).toBe(2);
  });

  it('the first of equally severe ones decides', () => {
    expect(decide(20, 20)).toBe(0);
    expect(decide(10, 30, 30, 20)).toBe(1);
  });

  it('none decides where there is none', () => {
    expect(decide()).toBe(0);
  });

  it('none before the deciding one is as severe, and none after it is more severe', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -2, max: 3 }), { minLength: 1 }), (precedences) => {
        const decided = decide(...precedences);
        const highest = precedences[decided]!;
        expect(precedences.slice(0, decided).every((each) => each < highest)).toBe(true);
        expect(precedences.slice(decided).every((each) => each <= highest)).toBe(true);
      }),
    );
  });
});
