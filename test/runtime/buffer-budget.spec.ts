import { expect, test } from '@jest/globals';
import { BufferBudget } from '../../src/runtime/buffer-budget.js';

test('a connection may come to its own limit, as long as all together have as much left', () => {
  const budget = new BufferBudget(100);
  expect(budget.limitOf(0, 60)).toBe(60);
  budget.used = 70;
  expect(budget.limitOf(10, 60)).toBe(40);
  expect(budget.exhausted).toBe(false);
  budget.used = 100;
  expect(budget.exhausted).toBe(true);
  expect(budget.limitOf(10, 60)).toBe(10);
  budget.used = 130;
  expect(budget.limitOf(10, 60)).toBe(10);
});
