import { afterAll, beforeAll, test } from '@jest/globals';
import { shutDownUnderLoad } from '../e2e/shutdown/crowd.js';
import { PostgresqlServer } from '../support/postgresql.server.js';
import { withBound } from '../support/waiting.js';

const RUNS = Number(process.env['SOAK_RUNS'] ?? 20);

let database: PostgresqlServer;

beforeAll(async () => {
  database = await PostgresqlServer.start();
}, 60_000);

afterAll(() => database?.stop());

test(
  `SIGTERM loses nothing of a thousand clients, ${RUNS} times in a row`,
  async () => {
    for (let run = 0; run < RUNS; run++) {
      // oxlint-disable-next-line no-await-in-loop
      await withBound(25_000, () =>
        shutDownUnderLoad(database.url, {
          databaseModule: run % 2 === 0 ? 'global' : 'imported',
          code: run % 3 === 0 ? 1012 : 1001,
        }),
      );
    }
  },
  RUNS * 60_000,
);
