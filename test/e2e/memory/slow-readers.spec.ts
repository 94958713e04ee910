import { expect, test } from '@jest/globals';
import { afterTest } from '../../support/cleanup.js';
import { ChildApp } from '../../support/child/child.app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { withBound } from '../../support/waiting.js';
import type { OverflowPolicy, SafeCloseOptions } from '../../../src/index.js';

const MIB = 1024 * 1024;
const PROGRAM = new URL('./fixtures/feed.program.ts', import.meta.url);

/** What the process needs beside, for the heap and for what it was told in between. */
const SLACK = 16 * MIB;
const MESSAGES = 8_000;
const READERS = 1_000;
/** 4 GiB are offered to the kernel, which takes seconds by itself, and many where others work beside it. */
const FLOOD_OF_ALL_MS = 60_000;

/** Larger by hand: 16_384 is 1 GiB. */
const PARTS = Number(process.env['FEED_PARTS'] ?? 1_024);
const PACE = { bytes: Number(process.env['FEED_PACE'] ?? 4 * MIB), everyMs: 100 };

async function serving(options: SafeCloseOptions): Promise<ChildApp> {
  const app = await ChildApp.start(PROGRAM, { FEED_OPTIONS: JSON.stringify(options) });
  afterTest(() => app.stop());
  return app;
}

async function noted(app: ChildApp, index: number): Promise<Record<string, unknown>> {
  return JSON.parse(await app.while(app.notes.at(index, 'note'))) as Record<string, unknown>;
}

interface Settled {
  readonly outcomes: Record<string, number>;
  readonly written: number;
  readonly dropped: number;
  readonly lost: number;
}

test.each<[OverflowPolicy, number]>([
  ['close', 1],
  ['refuse', 1],
  ['drop-oldest', 1],
  ['wait', 1],
  ['refuse', 8],
  ['wait', 8],
])(
  '8,000 × 64 KiB to a reader that has stopped: %s, with %i MiB',
  async (overflow, limit) => {
    const app = await serving({
      send: { overflow, maxBuffered: limit * MIB },
      close: { flushTimeout: 2_000 },
    });
    const peer = await RawPeer.connect(app.url());
    peer.freeze();
    peer.emit('flood', MESSAGES);
    const { grown, state } = await noted(app, 0);
    expect(grown).toBeLessThan(limit * MIB + SLACK);
    expect(state).toBe(overflow === 'close' ? 'draining' : 'open');
    if (overflow !== 'close') peer.close(4000);
    peer.socket.resume();
    await peer.ended();
    const told = (await noted(app, 1)) as unknown as Settled;
    const { written = 0, dropped = 0, lost = 0, refused = 0 } = told.outcomes;
    expect(written + dropped + lost + refused).toBe(MESSAGES);
    expect([told.written, told.dropped, told.lost]).toEqual([written, dropped, lost]);
    expect(dropped > 0).toBe(overflow === 'drop-oldest');
    expect(refused > 0).toBe(overflow !== 'drop-oldest');
    expect(peer.messages.count).toBe(written);
    const [close] = peer.closes.all;
    expect(close?.code).toBe(overflow === 'close' ? 1013 : 4000);
  },
  60_000,
);

test(`${READERS} readers that have all stopped cost no more than all together may`, async () => {
  const app = await serving({
    send: { overflow: 'refuse', maxTotalBuffered: 64 * MIB },
    heartbeat: false,
  });
  const peers: RawPeer[] = [];
  for (let index = 0; index < READERS; index++) {
    // oxlint-disable-next-line no-await-in-loop
    const peer = await RawPeer.connect(app.url());
    peer.freeze();
    peers.push(peer);
  }
  peers[0]!.emit('flood all', 64);
  const told = await withBound(FLOOD_OF_ALL_MS, () => noted(app, 0));
  expect(told['buffered']).toBeLessThan(64 * MIB + READERS * 1024);
  expect(told['grown']).toBeLessThan(64 * MIB + 2 * SLACK);
  const { refused } = told['sends'] as { refused: number };
  expect(refused).toBeGreaterThan(0);
}, 120_000);

test.each([
  ['an async generator', 'pull'],
  ['an Observable in step', 'observe'],
])(
  '%s is asked no faster than its reader reads, and all of it arrives',
  async (_name, event) => {
    const app = await serving({});
    const peer = await RawPeer.connect(app.url());
    peer.readSlowly(PACE);
    peer.emit(event, PARTS);
    let read = 0;
    let bytes = 0;
    for (; read < PARTS; read++) {
      // oxlint-disable-next-line no-await-in-loop
      const part = await peer.messages.at(read, 'part');
      bytes += part.length;
      peer.messages.all[read] = '';
      expect(JSON.parse(part)).toMatchObject({ event: 'part' });
    }
    expect(bytes).toBeGreaterThan(PARTS * 64 * 1024);
    const { grown } = await noted(app, 0);
    expect(grown).toBeLessThan(SLACK);
  },
  10 * 60_000,
);
