import { expect } from '@jest/globals';
import pg from 'pg';
import { ChildApp } from '../../support/child/child.app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { within } from '../../support/waiting.js';

const WORKERS = 500;
const STREAMS = 100;
const SLOW = 20;
const IDLE = 380;
const FLOODS = 8;
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
export async function shutDownUnderLoad(databaseUrl: string): Promise<void> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    await database.query('drop table if exists presence');
    await database.query('create table presence (who text, gone boolean not null default false)');
    const program = new URL('./fixtures/crowd.program.ts', import.meta.url);
    const app = await ChildApp.start(program, { DATABASE_URL: databaseUrl });
    try {
      await shutDown(app);
    } finally {
      await app.stop();
    }
    const { rows } = await database.query('select gone, count(*)::int from presence group by gone');
    expect(rows).toEqual([{ gone: true, count: WORKERS + STREAMS + SLOW + IDLE }]);
  } finally {
    await database.end();
  }
}

async function shutDown(app: ChildApp): Promise<void> {
  let users = 0;
  const url = (): string => app.url(`/?user=${users++}`);
  const workers = await inBatches(WORKERS, () => WsClient.connect(url()));
  const streams = await inBatches(STREAMS, () => WsClient.connect(url()));
  const idle = await inBatches(IDLE, () => WsClient.connect(url()));
  const slow = await inBatches(SLOW, () => RawPeer.connect(url()));
  for (const client of streams) client.emit('stream');
  for (const client of streams) {
    // oxlint-disable-next-line no-await-in-loop
    await client.messages.reached(1, 'tick');
  }
  for (const peer of slow) {
    peer.readSlowly({ bytes: 1024 * 1024, everyMs: 100 });
    for (let id = 0; id < FLOODS; id++) peer.emit('flood', id);
  }
  for (const [id, client] of workers.entries()) {
    client.emit('work', { id, ms: 10 + Math.round((id / WORKERS) * (LONGEST_WORK_MS - 10)) });
  }
  await app.notes.reached(WORKERS, 'handler started');
  const signalledAt = performance.now();
  app.signal('SIGTERM');

  const everybody = [...workers, ...streams, ...idle];
  const codes = await Promise.all(everybody.map(async (client) => (await client.closed()).code));
  expect(new Set(codes)).toEqual(new Set([1001]));
  for (const [id, client] of workers.entries()) expect(client.dataOf('worked')).toEqual([id]);
  for (const peer of slow) {
    // oxlint-disable-next-line no-await-in-loop
    expect((await within(peer.closed(), 'the close frame')).code).toBe(1001);
    expect(peer.messages.count).toBe(FLOODS);
  }
  expect(await app.exited()).toBe('code 0');
  // Its deadline, and what it takes to see it.
  expect(performance.now() - signalledAt).toBeLessThan(12_000);
  const told = app.notes.all.filter((text) => text !== 'work');
  expect(told).toEqual([`all ${users} left`, 'pool ended, 0 queries failed']);
}
