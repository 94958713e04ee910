import { describe, expect, test } from '@jest/globals';
import { DRAIN_TABLE, drainTransition } from '../../src/core/drain.js';
import { exploreDrain } from './drain.model.js';

describe('a drain, whatever happens in whatever order', () => {
  test('ends in time, once, and in the promised order', () => {
    expect(exploreDrain(DRAIN_TABLE)).toEqual({ states: 750, violation: undefined });
  });

  test.each(
    DRAIN_TABLE.map(
      (row, index) => [`${row.from.join('|')} on ${row.on} ${row.when ?? ''}`, index] as const,
    ),
  )('would not without the row %s', (_name, index) => {
    const { violation } = exploreDrain(DRAIN_TABLE.filter((_row, at) => at !== index));
    expect(violation).toBeDefined();
  });
});

test('an event that nobody expects changes nothing', () => {
  expect(drainTransition('serving', { type: 'deadline', busy: true })).toEqual({
    phase: 'serving',
    effects: [],
  });
});
