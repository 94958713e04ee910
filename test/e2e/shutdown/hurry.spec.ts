import { expect, test } from '@jest/globals';
import { ChildApp } from '../../support/child/child.app.js';
import { afterTest } from '../../support/cleanup.js';
import { WsClient } from '../../support/clients/ws.client.js';

test('a second SIGTERM ends the wait for handlers and hooks that never end', async () => {
  const app = await ChildApp.start(new URL('./fixtures/stuck.program.ts', import.meta.url));
  afterTest(() => app.stop());
  const client = await WsClient.connect(app.url());
  client.emit('never');
  await app.notes.reached(1, 'handler started');
  app.signal('SIGTERM');
  await app.notes.reached(2, 'goodbye');
  const hurriedAt = performance.now();
  app.signal('SIGTERM');
  expect((await client.closed()).code).toBe(1001);
  expect(await app.exited()).toBe('code 0');
  // A second of its own, not the sixty that were set; the rest is for a busy machine.
  expect(performance.now() - hurriedAt).toBeLessThan(6_000);
  expect(app.notes.all).toEqual(['never', 'draining', 'left']);
});
