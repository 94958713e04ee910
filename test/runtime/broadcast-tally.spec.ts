import { expect, test } from '@jest/globals';
import { BroadcastTally } from '../../src/runtime/broadcast-tally.js';

test('each outcome counts once, and the last one completes it', () => {
  const tally = new BroadcastTally(5);
  let completed = 0;
  tally.onComplete = () => completed++;
  tally.add({ status: 'written' });
  tally.add({ status: 'acknowledged' });
  tally.add({ status: 'refused', cause: 'closing' });
  tally.add({ status: 'dropped', cause: 'overflow' });
  expect(completed).toBe(0);
  tally.add({ status: 'lost', cause: 'network', sent: 'no' });
  expect(completed).toBe(1);
  expect(tally.outcome).toMatchObject({ targets: 5, written: 2, dropped: 1, lost: 1 });
  expect(tally.outcome.refused).toMatchObject({ closing: 1, closed: 0 });
});

test('nobody has to wait for its completion', () => {
  const tally = new BroadcastTally(1);
  tally.add({ status: 'written' });
  expect(tally.outcome.written).toBe(1);
});

test('those that had the same before hold the same run, others one of their own', () => {
  const [first, second, third] = [3, 3, 3].map((targets) => new BroadcastTally(targets)) as [
    BroadcastTally,
    BroadcastTally,
    BroadcastTally,
  ];
  const one = first.behind(undefined);
  expect(first.behind(undefined)).toBe(one);
  const two = second.behind(one);
  expect(second.behind(one)).toBe(two);
  const alone = second.behind(undefined);
  expect(alone).not.toBe(two);
  const three = third.behind(two);
  three.add({ status: 'written' });
  three.add({ status: 'written' });
  alone.add({ status: 'written' });
  expect([first, second, third].map(({ written }) => written)).toEqual([2, 3, 2]);
});
