import { expect, test } from '@jest/globals';
import { BACK_OFFS, type BackOff } from '../../simulation/back-off.strategies.js';

function backOff(part: string): BackOff {
  return BACK_OFFS.find(({ name }) => name.includes(part))!;
}

/** What is waited where `random` draws its least, and nearly its most. */
function range(part: string, code: number, failures: number): number[] {
  return [0, 1].map((drawn) => backOff(part).wait(code, failures, () => drawn));
}

test('clients may know no patience, or always the same', () => {
  expect(range('none', 1012, 3)).toEqual([0, 0]);
  expect(range('fixed', 1012, 3)).toEqual([1_000, 1_000]);
});

test('full jitter begins at nothing, and its bound doubles up to a minute', () => {
  expect(range('0–1 s', 1012, 0)).toEqual([0, 1_000]);
  expect(range('0–5 s', 1012, 0)).toEqual([0, 5_000]);
  expect(range('0–5 s', 1006, 2)).toEqual([0, 20_000]);
  expect(range('0–5 s', 1006, 9)).toEqual([0, 60_000]);
});

test('by code, a restart is given 5 to 30 s, and anything else full jitter', () => {
  expect(range('by code', 1012, 0)).toEqual([5_000, 30_000]);
  expect(range('by code', 1006, 1)).toEqual([0, 10_000]);
});
