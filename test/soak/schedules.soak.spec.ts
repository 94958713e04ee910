import { expect, test } from '@jest/globals';
import { search } from '../runtime/schedules/schedule.run.js';

const SCHEDULES = Number(process.env['SOAK_SCHEDULES'] ?? 20_000);
const SEED = Number(process.env['SOAK_SEED'] ?? 1_000_000);

test(
  `no guarantee breaks in ${SCHEDULES} random schedules of the runtime`,
  async () => {
    expect(await search({ runs: SCHEDULES, seed: SEED })).toBe('');
  },
  60 * 60 * 1000,
);
