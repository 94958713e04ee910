import { expect, test } from '@jest/globals';
import { Logger, type INestApplication } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SafeCloseService } from '../../src/index.js';
import { afterTest } from '../support/cleanup.js';
import { exportsOf } from './booting.js';
import { readPage, ROOT } from './pages.js';

const GUIDE = 'docs/guides/rolling-deploys.md';

test('the app of the guide boots, and closes by the same drain as at SIGTERM', async () => {
  Logger.overrideLogger(false);
  const { main } = (await exportsOf(GUIDE, 'shutdown')) as unknown as {
    main: (port: number) => Promise<INestApplication>;
  };
  const app = await main(0);
  afterTest(() => app.close());
  const service = app.get(SafeCloseService);
  expect(service.isDraining).toBe(false);
  await app.close();
  expect(service.isDraining).toBe(true);
});

test('the helper in the guide is the one that is tested', () => {
  const [helper] = [...readPage(GUIDE).text.matchAll(/```js\n([\s\S]*?)```/g)].map(
    ([, code]) => code,
  );
  expect(helper).toBe(readFileSync(join(ROOT, 'examples/reconnect/reconnect.js'), 'utf8'));
});
