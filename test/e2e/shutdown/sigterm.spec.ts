import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { PostgresqlServer } from '../../support/postgresql.server.js';
import { withBound } from '../../support/waiting.js';
import { shutDownUnderLoad } from './crowd.js';
import type { CrowdSettings } from './fixtures/crowd.settings.js';

const missing = PostgresqlServer.missing();

if (missing === undefined || process.env['CI'] === 'true') {
  let database: PostgresqlServer;

  beforeAll(async () => {
    expect(missing).toBeUndefined();
    database = await PostgresqlServer.start();
  }, 60_000);

  afterAll(() => database?.stop());

  test.each<CrowdSettings>([
    { databaseModule: 'global', code: 1001 },
    { databaseModule: 'imported', code: 1001 },
    { databaseModule: 'imported', code: 1012 },
  ])(
    'SIGTERM loses nothing of a thousand clients, and ends with code 0 ($databaseModule pool, $code)',
    async (settings) => {
      await withBound(25_000, () => shutDownUnderLoad(database.url, settings));
    },
    60_000,
  );
} else {
  // oxlint-disable-next-line jest/no-disabled-tests -- the title says why
  test.skip(`SIGTERM loses nothing of a thousand clients (skipped: ${missing})`, () => {});
}
