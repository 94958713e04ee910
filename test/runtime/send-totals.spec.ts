import { expect, test } from '@jest/globals';
import { NO_SENDS, sum, type SendTotals } from '../../src/runtime/send-totals.js';

const SOME: SendTotals = {
  accepted: 32,
  written: 16,
  acknowledged: 8,
  dropped: 4,
  lost: 2,
  refused: 1,
};

test('totals add up one by one', () => {
  expect(sum(SOME, SOME)).toEqual({
    accepted: 64,
    written: 32,
    acknowledged: 16,
    dropped: 8,
    lost: 4,
    refused: 2,
  });
});

test('those of no message add nothing', () => {
  expect(sum(SOME, NO_SENDS)).toEqual(SOME);
});
