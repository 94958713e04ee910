/*
 * Up to which size compressing a message at once takes the event loop no longer than to have a
 * thread do it, as ws does. In microseconds of a message: processor time in both ways, and how long
 * the event loop is held up by the thread's one; at once, that is the processor time.
 *
 *   npm run bench:deflate
 */
import { constants, createDeflateRaw } from 'node:zlib';
import { SyncDeflate } from '../src/ws/sync-deflate.js';

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

function atOnce(messages: readonly Buffer[], count: number): number {
  const deflate = new SyncDeflate({});
  const target = Buffer.alloc(SyncDeflate.roomFor(messages[0]!.length));
  const before = cpu();
  for (let sent = 0; sent < count; sent++)
    deflate.write(messages[sent % messages.length]!, target, 0);
  const used = cpu() - before;
  deflate.close();
  return used / count;
}

async function byThread(
  messages: readonly Buffer[],
  count: number,
): Promise<{ used: number; active: number }> {
  const deflate = createDeflateRaw();
  deflate.resume();
  const before = cpu();
  const loop = performance.eventLoopUtilization();
  for (let sent = 0; sent < count; sent++) {
    deflate.write(messages[sent % messages.length]!);
    // oxlint-disable-next-line no-await-in-loop
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
  }
  const { active } = performance.eventLoopUtilization(loop);
  const used = cpu() - before;
  deflate.close();
  return { used: used / count, active: (active * 1000) / count };
}

const HEAD = ['bytes', 'of', 'at once', 'by a thread', 'event loop'];
console.log(HEAD.map((cell) => cell.padStart(12)).join(''));
for (const size of SIZES) {
  for (const [name, content] of Object.entries(CONTENTS)) {
    const messages = Array.from({ length: KEPT_BYTES / size }, () => messageOf(content, size));
    const count = Math.min(10_000, BYTES / size);
    atOnce(messages, count / 4);
    // oxlint-disable-next-line no-await-in-loop
    await byThread(messages, count / 4);
    const here = atOnce(messages, count);
    // oxlint-disable-next-line no-await-in-loop
    const { used, active } = await byThread(messages, count);
    const cells = [size, name, ...[here, used, active].map((us) => us.toFixed(1))];
    console.log(cells.map((cell) => String(cell).padStart(12)).join(''));
  }
}
