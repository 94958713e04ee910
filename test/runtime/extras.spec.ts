import { expect, test } from '@jest/globals';
import { Extras } from '../../src/runtime/extras.js';

test('there is nothing of what few connections have until it is put there', () => {
  const { lastMessageBytes, ...parts } = new Extras();
  expect(lastMessageBytes).toBe(0);
  expect(Object.values(parts)).toEqual(Object.keys(parts).map(() => undefined));
  expect(Object.keys(parts)).toHaveLength(6);
});
