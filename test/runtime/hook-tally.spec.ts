import { expect, test } from '@jest/globals';
import { HookTally } from '../../src/runtime/hook-tally.js';

test('hooks are counted while they run, and told of once they have ended', () => {
  const tally = new HookTally();
  tally.begin('unheard')();
  expect(tally.ended).toBe(1);
  let told = 0;
  tally.onEnded = () => told++;
  const first = tally.begin('handleDisconnect of Chat');
  const second = tally.begin('handleDisconnect of Chat');
  const third = tally.begin('handleDrain');
  expect(tally.running).toBe(3);
  expect(tally.names).toBe('handleDisconnect of Chat, handleDrain');
  first();
  first();
  third();
  expect([tally.running, tally.ended, told]).toEqual([1, 3, 2]);
  second();
  expect([tally.running, tally.names, told]).toEqual([0, '', 3]);
});
