import { expect, test } from '@jest/globals';
import { isBinary, Unacknowledged } from '../../src/runtime/unacknowledged.js';

function kept(count: number): Unacknowledged {
  const messages = new Unacknowledged();
  for (let sequence = 1; sequence <= count; sequence++) {
    messages.add({ sequence, data: `${sequence}`, binary: false, bytes: 10 });
  }
  return messages;
}

test('keeps messages until they are acknowledged, in order', () => {
  const messages = kept(4);
  expect(messages.bytes).toBe(40);
  messages.release(2);
  expect(messages.bytes).toBe(20);
  expect(messages.left()).toEqual([
    { data: '3', binary: false, sent: 'maybe' },
    { data: '4', binary: false, sent: 'maybe' },
  ]);
  messages.release(2);
  expect(messages.left()).toHaveLength(2);
  messages.release(9);
  expect([messages.bytes, messages.left()]).toEqual([0, []]);
});

test('those that come later stand behind what is left', () => {
  const messages = kept(10);
  for (let covered = 1; covered <= 7; covered++) messages.release(covered);
  messages.add({ sequence: 11, data: '11', binary: true, bytes: 1 });
  expect(messages.left().map(({ data }) => data)).toEqual(['8', '9', '10', '11']);
  expect(messages.bytes).toBe(31);
});

test('tells text from binary as ws does', () => {
  expect(isBinary('text', undefined)).toBe(false);
  expect(isBinary(1, undefined)).toBe(false);
  expect(isBinary(Buffer.alloc(1), undefined)).toBe(true);
  expect(isBinary(Buffer.alloc(1), false)).toBe(false);
  expect(isBinary('text', true)).toBe(true);
});
