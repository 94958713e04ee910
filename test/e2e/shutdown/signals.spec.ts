import { expect, test } from '@jest/globals';
import type { DrainReport, SafeCloseOptions } from '../../../src/index.js';
import { ChildApp } from '../../support/child/child.app.js';
import { afterTest } from '../../support/cleanup.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';

const PROGRAM = new URL('./fixtures/desk.program.ts', import.meta.url);
/** No test lasts as long: what ends has not waited for it. */
const AGES_MS = 60_000;

async function start(options: SafeCloseOptions): Promise<ChildApp> {
  const app = await ChildApp.start(PROGRAM, { OPTIONS: JSON.stringify(options) });
  afterTest(() => app.stop());
  return app;
}

/** Waits until the drain is in a phase. */
async function phase(app: ChildApp, name: string): Promise<void> {
  for (let index = 0; ; index++) {
    // oxlint-disable-next-line no-await-in-loop
    if ((await app.notes.at(index, `step towards ${name}`)) === name) return;
  }
}

function reportOf(app: ChildApp): DrainReport {
  return JSON.parse(app.notes.all.at(-1)!) as DrainReport;
}

test('SIGTERM without a client ends the process at once', async () => {
  const app = await start({ shutdown: { timeout: AGES_MS } });
  app.signal('SIGTERM');
  expect(await app.exited()).toBe('code 0');
  expect(reportOf(app)).toMatchObject({ connections: 0, deadlineHit: false });
});

test('a second signal leaves a second to what had a minute, and clients still see 1001', async () => {
  const app = await start({
    shutdown: { timeout: AGES_MS },
    handlers: { settleTimeout: AGES_MS / 2 },
    close: { maxTimeout: AGES_MS },
  });
  const frozen = await RawPeer.connect(app.url());
  frozen.freeze();
  const client = await WsClient.connect(app.url());
  client.emit('work');
  await app.notes.reached(1, 'handler begun');
  app.signal('SIGTERM');
  await phase(app, 'waiting');
  app.signal('SIGTERM');
  expect(await client.closed()).toEqual({ code: 1001, reason: 'server is shutting down' });
  expect(await app.exited()).toBe('code 0');
  expect(reportOf(app)).toMatchObject({ connections: 2, clean: 1, terminated: 1 });
});

test('while readiness is down everything still works, and a second signal cuts that short', async () => {
  const shutdown = { timeout: AGES_MS, readinessDelay: AGES_MS / 2, code: 1012, reason: 'deploy' };
  const app = await start({ shutdown });
  const early = await WsClient.connect(app.url());
  app.signal('SIGTERM');
  await phase(app, 'unready');
  const late = await WsClient.connect(app.url());
  for (const client of [early, late]) {
    client.emit('ask', 'still there?');
    // oxlint-disable-next-line no-await-in-loop
    expect(await client.message(0)).toEqual({ event: 'answer', data: 'still there?' });
  }
  app.signal('SIGINT');
  const ends = await Promise.all([early.closed(), late.closed()]);
  expect(ends).toEqual(ends.map(() => ({ code: 1012, reason: 'deploy' })));
  expect(await app.exited()).toBe('code 0');
  expect(reportOf(app)).toMatchObject({ connections: 2, clean: 2, deadlineHit: false });
});
