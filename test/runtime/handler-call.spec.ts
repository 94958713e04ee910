import { expect, test } from '@jest/globals';
import { HandlerCall } from '../../src/runtime/handler-call.js';

test('ends once all of its parts have', () => {
  let ended = 0;
  const call = new HandlerCall(() => ended++);
  call.begin();
  call.end();
  expect(ended).toBe(0);
  call.end();
  expect(ended).toBe(1);
});

test('may have nobody who waits for it, and no key', () => {
  const call = new HandlerCall(undefined);
  call.end();
  expect(call.keyOf('reply')).toBeUndefined();
  expect(new HandlerCall(undefined, (reply) => `key of ${String(reply)}`).keyOf('a')).toBe(
    'key of a',
  );
});
