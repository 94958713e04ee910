import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TruthApp } from './truth.app.js';
import { runCampaign } from './truth.campaign.js';

const SCHEDULES = 50;

let app: TruthApp;

beforeAll(async () => {
  app = await TruthApp.start();
});

afterAll(() => app.stop());

test.each([1, 51, 101, 151, 201, 251])(
  'tells the truth of every message and close in 50 random schedules from seed %i',
  async (firstSeed) => {
    const options = { firstSeed, count: SCHEDULES, concurrency: 12 };
    const { failures } = await runCampaign(app, options);
    expect(failures.join('\n\n')).toBe('');
  },
  60_000,
);
