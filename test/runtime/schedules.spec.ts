import { expect, test } from '@jest/globals';
import { search } from './schedules/schedule.run.js';

// Always the same schedules, so that a failure is one of the change that brought it; others are
// tried by test/soak/schedules.soak.spec.ts.
test.each([1, 2, 3, 4])('no random schedule breaks a guarantee (seed %i)', async (seed) => {
  expect(await search({ runs: 100, seed })).toBe('');
});
