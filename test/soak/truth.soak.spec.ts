import { expect, test } from '@jest/globals';
import { TruthApp } from '../e2e/truth/truth.app.js';
import { runCampaign } from '../e2e/truth/truth.campaign.js';

const SCHEDULES = Number(process.env['SOAK_SCHEDULES'] ?? 20_000);
const SEED = Number(process.env['SOAK_SEED'] ?? 1_000_000);
const PROGRESS_EVERY = 1_000;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

test(
  `tells the truth of every message and close in ${SCHEDULES} random schedules`,
  async () => {
    const app = await TruthApp.start();
    try {
      const { failures, coverage } = await runCampaign(app, {
        firstSeed: SEED,
        count: SCHEDULES,
        concurrency: 16,
        onProgress: ({ schedules }, failed) => {
          if (schedules % PROGRESS_EVERY > 0) return;
          const heap = Math.round(process.memoryUsage().heapUsed / 1024 / 1024);
          say(`${schedules} of ${SCHEDULES} schedules, ${failed} failed, ${heap} MiB of heap`);
        },
      });
      say(`\n${String(coverage)}\n\n${String(app.service.report())}`);
      expect(failures.join('\n\n')).toBe('');
    } finally {
      await app.stop();
    }
  },
  24 * 60 * 60 * 1000,
);
