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

// A test for each, so that what one leaves in memory goes before the next.
test.each(Array.from({ length: RUNS }, (_, run) => run + 1))(
  `SIGTERM loses nothing of a thousand clients (run %i of ${RUNS})`,
  async (run) => {
    await withBound(25_000, () =>
      shutDownUnderLoad(database.url, {
        databaseModule: run % 2 === 0 ? 'global' : 'imported',
        code: run % 3 === 0 ? 1012 : 1001,
      }),
    );
  },
  60_000,
);
