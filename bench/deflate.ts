/*
 * Up to which size compressing or inflating a message at once takes the event loop no longer than to
 * have a thread do it, by one job. In microseconds of a message: processor time in both ways, and how
 * long the event loop is held up by the thread's one; at once, that is the processor time. A dash:
 * that much is left to a thread.
 *
 *   npm run bench:deflate
 */
import type { Transform } from 'node:stream';
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  deflateRawSync,
  type InflateRaw,
} from 'node:zlib';
import { SyncDeflate, type Zlib } from '../src/ws/sync-deflate.js';
import { inflateAtOnce } from '../src/ws/sync-inflate.js';

const { Z_SYNC_FLUSH } = constants;

const SIZES = [64, 256, 1024, 4096, 16_384];
const BYTES = 8 * 1024 * 1024;
/** More than a window of 32 KiB holds, so that no message is one that was there before. */
const KEPT_BYTES = 64 * 1024;

const WORDS =
  'an order of some shares at a price that moved up or down since the last one was filled'.split(
    ' ',
  );

let made = 0;

const CONTENTS: Record<string, () => string> = {
  records: () => `${JSON.stringify({ id: made++, price: Math.random() * 1000, side: 'buy' })},`,
  words: () => `${WORDS[Math.floor(Math.random() * WORDS.length)]!} `,
  noise: () => Math.random().toString(36).slice(2),
};

function messageOf(content: () => string, size: number): Buffer {
  let text = '';
  while (text.length < size) text += content();
  return Buffer.from(text.slice(0, size));
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

type Job = (message: Buffer) => unknown;

/** Of all threads, for one of so many. */
function atOnce(job: Job, messages: readonly Buffer[], count: number): number {
  const before = cpu();
  for (let done = 0; done < count; done++) {
    job(messages[done % messages.length]!);
  }
  return (cpu() - before) / count;
}

async function byThread(
  job: Job,
  messages: readonly Buffer[],
  count: number,
): Promise<{ used: number; active: number }> {
  const before = cpu();
  const loop = performance.eventLoopUtilization();
  // oxlint-disable-next-line no-await-in-loop
  for (let done = 0; done < count; done++) await job(messages[done % messages.length]!);
  const { active } = performance.eventLoopUtilization(loop);
  return { used: (cpu() - before) / count, active: (active * 1000) / count };
}

/** In microseconds, after a quarter as many that are not counted. */
async function compare(here: Job, elsewhere: Job, messages: readonly Buffer[]): Promise<number[]> {
  const count = Math.min(10_000, BYTES / messages[0]!.length);
  atOnce(here, messages, count / 4);
  await byThread(elsewhere, messages, count / 4);
  const used = atOnce(here, messages, count);
  const thread = await byThread(elsewhere, messages, count);
  return [used, thread.used, thread.active];
}

function written(stream: Transform, message: Buffer): Promise<void> {
  return new Promise((resolve) => void stream.write(message, () => resolve()));
}

function compressing(messages: readonly Buffer[]): Promise<number[]> {
  const deflate = new SyncDeflate({});
  const target = Buffer.alloc(SyncDeflate.roomFor(messages[0]!.length));
  const stream = createDeflateRaw({ flush: Z_SYNC_FLUSH }).resume();
  const here = (message: Buffer): unknown => deflate.write(message, target, 0);
  return compare(here, (message) => written(stream, message), messages);
}

async function inflating(messages: readonly Buffer[]): Promise<number[]> {
  const payloads = messages.map((message) =>
    deflateRawSync(message, { finishFlush: Z_SYNC_FLUSH }),
  );
  const [here, elsewhere] = [createInflateRaw().resume(), createInflateRaw().resume()];
  let left = false;
  const job = (payload: Buffer): void => {
    left ||= inflateAtOnce(here as InflateRaw & Zlib, payload) !== undefined;
  };
  const [used, ...thread] = await compare(job, (payload) => written(elsewhere, payload), payloads);
  return [left ? Number.NaN : used!, ...thread];
}

const COSTS = ['at once', 'by a thread', 'event loop'];
for (const [work, measure] of Object.entries({ compressing, inflating })) {
  console.log([work, 'bytes', ...COSTS].map((cell) => cell.padStart(12)).join(''));
  for (const size of SIZES) {
    for (const [name, content] of Object.entries(CONTENTS)) {
      const messages = Array.from({ length: KEPT_BYTES / size }, () => messageOf(content, size));
      // oxlint-disable-next-line no-await-in-loop
      const costs = await measure(messages);
      const cells = [name, size, ...costs.map((us) => (Number.isNaN(us) ? '–' : us.toFixed(1)))];
      console.log(cells.map((cell) => String(cell).padStart(12)).join(''));
    }
  }
}
