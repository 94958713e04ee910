import { expect } from '@jest/globals';
import pg from 'pg';
import { ChildApp } from '../../support/child/child.app.js';
import type { Client } from '../../support/clients/client.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WhatwgClient } from '../../support/clients/whatwg.client.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { within } from '../../support/waiting.js';
import { STREAMS, type CrowdSettings } from './fixtures/crowd.settings.js';

/** Of each kind of client. */
const WORKERS = 250;
const IDLE = 385;
const SLOW = 10;
const FROZEN = 5;
/** Of half a MiB each: more than the kernel takes for a peer that does not read. */
const FLOODS = 24;
/** Idle clients that ask for something in the moment of the signal. */
const LATE = 200;
/** So many handshakes at once. */
const BATCH = 100;
const LONGEST_WORK_MS = 3_000;

async function inBatches<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let from = 0; from < count; from += BATCH) {
    const size = Math.min(BATCH, count - from);
    const batch = Array.from({ length: size }, (_, index) => make(from + index));
    // oxlint-disable-next-line no-await-in-loop
    made.push(...(await Promise.all(batch)));
  }
  return made;
}

/** A server with a thousand clients and a database gets SIGTERM; nobody must lose anything. */
export async function shutDownUnderLoad(
  databaseUrl: string,
  settings: CrowdSettings,
): Promise<void> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    await database.query('drop table if exists presence');
    await database.query('create table presence (who text, gone boolean not null default false)');
    const program = new URL('./fixtures/crowd.program.ts', import.meta.url);
    const app = await ChildApp.start(program, {
      DATABASE_URL: databaseUrl,
      CROWD: JSON.stringify(settings),
    });
    try {
      await shutDown(app, settings);
    } finally {
      await app.stop();
    }
    const { rows } = await database.query('select gone, count(*)::int from presence group by gone');
    expect(rows).toEqual([{ gone: true, count: 2 * WORKERS + STREAMS + SLOW + FROZEN + IDLE }]);
  } finally {
    await database.end();
  }
}

async function shutDown(app: ChildApp, { code }: CrowdSettings): Promise<void> {
  let users = 0;
  const url = (): string => app.url(`/?user=${users++}`);
  const workers: Client[] = [
    ...(await inBatches(WORKERS, () => WsClient.connect(url()))),
    ...(await inBatches(WORKERS, () => WhatwgClient.connect(url()))),
  ];
  const streams = await inBatches(STREAMS, () => WsClient.connect(url()));
  const idle = await inBatches(IDLE, () => WsClient.connect(url()));
  const slow = await inBatches(SLOW, () => RawPeer.connect(url()));
  const frozen = await inBatches(FROZEN, () => RawPeer.connect(url()));
  for (const client of streams) client.emit('stream');
  for (const client of streams) {
    // oxlint-disable-next-line no-await-in-loop
    await client.messages.reached(1, 'tick');
  }
  for (const peer of [...slow, ...frozen]) {
    peer.freeze();
    for (let id = 0; id < FLOODS; id++) peer.emit('flood', id);
  }
  for (const [id, client] of workers.entries()) {
    client.emit('work', { id, ms: 10 + Math.round((id / workers.length) * LONGEST_WORK_MS) });
  }
  // Where the database is slow, a handler that had yet to ask would not be done before it is cut off.
  await app.notes.reached(2 * workers.length + (SLOW + FROZEN) * FLOODS, 'handler that waits');
  const signalledAt = performance.now();
  app.signal('SIGTERM');
  const late = new Map(
    idle.slice(0, LATE).map((client, index) => [workers.length + index, client]),
  );
  for (const [id, client] of late) client.emit('work', { id, ms: 10 });
  for (const peer of slow) {
    peer.readSlowly({ bytes: 1024 * 1024, everyMs: 100 });
    peer.socket.resume();
  }

  const everybody = [...workers, ...streams, ...idle];
  const codes = await Promise.all(everybody.map(async (client) => (await client.closed()).code));
  expect(codes).toEqual(everybody.map(() => code));
  for (const [id, client] of workers.entries()) expect(client.dataOf('worked')).toEqual([id]);
  for (const peer of slow) {
    // oxlint-disable-next-line no-await-in-loop
    expect((await within(peer.closed(), 'the close frame')).code).toBe(code);
    expect(peer.messages.count).toBe(FLOODS);
  }
  expect(await app.exited()).toBe('code 0');
  // Its deadline, and what it takes to see it.
  expect(performance.now() - signalledAt).toBeLessThan(12_000);
  // Whether the signal or the request came first, a handler that has begun has answered.
  for (const [id, client] of late) {
    expect(client.dataOf('worked')).toEqual(app.notes.all.includes(`work ${id}`) ? [id] : []);
  }
  const told = app.notes.all.filter((text) => !/^(work \d+|has asked|flood)$/.test(text));
  expect(told).toEqual([
    'all streams ended',
    `all ${users} left`,
    'pool ends',
    'pool ended, 0 queries failed',
  ]);
}
