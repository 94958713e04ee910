import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  ABNORMAL_CLOSURE,
  INTERNAL_ERROR,
  isSendableCloseCode,
  NO_STATUS_RECEIVED,
  NORMAL_CLOSURE,
  POLICY_VIOLATION,
  Severity,
  severityOf,
  TRY_AGAIN_LATER,
} from '../../src/core/close-code.js';

const SENDABLE = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000,
  4998, 4999,
];
const NOT_SENDABLE = [
  -1000, 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 65_535, 1000.5, 3000.1,
];
const NO_CODES = [NaN, Infinity, -Infinity, '4000', '', null, undefined, true, {}, [1000], 1000n];

describe('a close code', () => {
  it.each(SENDABLE)('may be sent: %d', (code) => {
    expect(isSendableCloseCode(code)).toBe(true);
  });

  it.each(NOT_SENDABLE)('may not be sent: %d', (code) => {
    expect(isSendableCloseCode(code)).toBe(false);
  });

  it.each(NO_CODES)('is a number, not %p', (code) => {
    expect(isSendableCloseCode(code)).toBe(false);
  });

  it('may be sent exactly where RFC 6455 and the registry allow it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6000 }), (code) => {
        const registered = SENDABLE.includes(code) || (code >= 3000 && code < 5000);
        expect(isSendableCloseCode(code)).toBe(registered);
      }),
    );
  });

  it('has the number that its name has in RFC 6455 §7.4.1', () => {
    expect({
      NORMAL_CLOSURE,
      NO_STATUS_RECEIVED,
      ABNORMAL_CLOSURE,
      POLICY_VIOLATION,
      INTERNAL_ERROR,
      TRY_AGAIN_LATER,
    }).toEqual({
      NORMAL_CLOSURE: 1000,
      NO_STATUS_RECEIVED: 1005,
      ABNORMAL_CLOSURE: 1006,
      POLICY_VIOLATION: 1008,
      INTERNAL_ERROR: 1011,
      TRY_AGAIN_LATER: 1013,
    });
  });
});

describe('the severity of a close', () => {
  it.each([
    [undefined, 0],
    [1000, 10],
    [1001, 20],
    [1012, 20],
    [1013, 20],
    [1014, 20],
    [3000, 30],
    [3999, 30],
    [4000, 30],
    [4999, 30],
    [1002, 40],
    [1003, 40],
    [1007, 40],
    [1008, 40],
    [1009, 40],
    [1010, 40],
    [1011, 40],
  ])('with %p is %d', (code, severity) => {
    expect(severityOf(code)).toBe(severity);
  });

  it('rises from no code over normal, unavailable and application to failure', () => {
    expect(Severity).toEqual({
      unspecified: 0,
      normal: 10,
      unavailable: 20,
      application: 30,
      failure: 40,
    });
  });
});
