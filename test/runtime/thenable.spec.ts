/* oxlint-disable unicorn/no-thenable -- it is what is looked for. */
import { expect, test } from '@jest/globals';
import { isThenable } from '../../src/runtime/thenable.js';

function then(): void {}

test('what has a method then is waited for, whatever else it is', () => {
  const callable = Object.assign(() => {}, { then });
  for (const value of [Promise.resolve(), { then }, callable]) expect(isThenable(value)).toBe(true);
  for (const value of [undefined, null, 0, 'then', {}, () => {}, { then: true }]) {
    expect(isThenable(value)).toBe(false);
  }
});
