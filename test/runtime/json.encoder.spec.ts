import { expect, test } from '@jest/globals';
import { encodeJson } from '../../src/runtime/json.encoder.js';

test.each([
  [{ event: 'a', data: undefined }, '{"event":"a"}'],
  [null, 'null'],
  ['é', '"é"'],
  [[1, undefined], '[1,null]'],
])('%j becomes %s', (message, text) => {
  expect(encodeJson(message)).toBe(text);
});

test.each([
  ['undefined', undefined, /undefined has no JSON form/],
  ['a function', () => {}, /function has no JSON form/],
  ['a symbol', Symbol('s'), /symbol has no JSON form/],
  ['what its own toJSON() leaves out', { toJSON: () => undefined }, /object has no JSON form/],
])('%s throws rather than sends nothing', (_name, message, error) => {
  expect(() => encodeJson(message)).toThrow(error);
});

test('a BigInt, a cycle and a toJSON() that throws are what JSON.stringify makes of them', () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  expect(() => encodeJson(1n)).toThrow(/BigInt/);
  expect(() => encodeJson(cycle)).toThrow(/circular/);
  expect(() =>
    encodeJson({
      toJSON() {
        throw new Error('its own');
      },
    }),
  ).toThrow('its own');
});
