import { describe, expect, test } from '@jest/globals';
import { ChatModule } from '../../examples/chat/chat.module.js';
import { STEPS, take } from '../../examples/flow/flow.steps.js';
import { closeRaces } from '../../examples/races/close.races.js';
import { CRASH_NAMES } from '../../examples/races/crash.races.js';
import { handlerRaces } from '../../examples/races/handler.races.js';
import { replyRaces } from '../../examples/races/reply.races.js';
import { sendRaces } from '../../examples/races/send.races.js';
import { boot, type Booted } from './booting.js';
import { DocsClient } from './client.js';
import { readPage } from './pages.js';

/** Joins the chat, and waits until the others know. */
async function join({ url }: Booted, name: string): Promise<DocsClient> {
  const client = await DocsClient.connect(`${url}/chat?name=${name}`);
  expect(await client.message(0)).toEqual({ event: 'welcome', data: name });
  return client;
}

test('the chat serves its page and style', async () => {
  const { url } = await boot({ imports: [ChatModule] });
  const page = await fetch(url.replace('ws:', 'http:'));
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(await page.text()).toContain('<title>Chat with safe closes</title>');
  const style = await fetch(`${url.replace('ws:', 'http:')}/page.css`);
  expect(style.headers.get('content-type')).toBe('text/css; charset=utf-8');
});

test('the chat lets one kick another, and shows how that ended', async () => {
  const chat = await boot({ imports: [ChatModule] });
  const ada = await join(chat, 'Ada');
  const ben = await join(chat, 'Ben');
  await ada.messages.reached(3, 'message: welcome, and who is there, twice');
  ada.emit('kick', { name: 'Ben', code: 4003, reason: 'kicked', handlers: 'abort' });
  expect(await ben.closed()).toEqual([4003, 'kicked']);
  // Who is left, and how it ended, in either order.
  await ada.messages.reached(5, 'message after the kick');
  const told = ada.messages.all.slice(3).map((text) => JSON.parse(text) as unknown);
  const outcome = { initiator: 'server', handshake: 'clean', code: 4003, acknowledged: true };
  expect(told).toEqual(
    expect.arrayContaining([
      { event: 'people', data: ['Ada'] },
      { event: 'kicked', data: { name: 'Ben', outcome: expect.objectContaining(outcome) } },
    ]),
  );
  const status: unknown = await (await fetch(`${chat.url.replace('ws:', 'http:')}/status`)).json();
  expect(status).toMatchObject({
    report: { connections: { open: 1, closed: 1 } },
    connections: [{ name: 'Ada', state: 'open', inFlight: 0 }],
    closes: [{ name: 'Ben', outcome }],
  });
});

test('the chat says goodbye before it shuts down', async () => {
  const chat = await boot({ imports: [ChatModule] });
  const ada = await join(chat, 'Ada');
  await ada.messages.reached(2, 'message: welcome, and who is there');
  ada.emit('work');
  ada.emit('say', 'still here');
  await ada.messages.reached(3, 'message: what it said');
  await chat.app.close();
  expect(await ada.closed()).toEqual([1001, 'server is shutting down']);
  const told = ada.messages.all.slice(3).map((text) => JSON.parse(text) as { event: string });
  expect(told.map(({ event }) => event)).toEqual(['restarting', 'worked']);
});

test('the chat rejects a name that is taken', async () => {
  const chat = await boot({ imports: [ChatModule] });
  await join(chat, 'Ada');
  const other = await DocsClient.connect(`${chat.url}/chat?name=Ada`);
  expect(await other.closed()).toEqual([4409, 'Ada is taken']);
});

test('the table in the README has the races that are measured, in their order', () => {
  const measured = [...replyRaces, ...closeRaces, ...sendRaces, ...handlerRaces];
  const names = [...measured.map(({ name }) => name), ...CRASH_NAMES];
  const [, table] = /```text\nrace.*\n-.*\n([\s\S]*?)\n\n/.exec(readPage('README.md').text)!;
  const rows = table!.split('\n').map((row) => row.split(/ {2,}/)[0]!.replace(/ \(\d\)$/, ''));
  expect(rows).toEqual(names);
});

describe('the flow of messages', () => {
  const EXPECTED: Record<string, RegExp> = {
    close: /^\d+ written, \d+ refused; \d\.\d MiB held; code 1013$/,
    refuse: /^\d+ written, \d+ refused; \d\.\d MiB held; code 1000$/,
    'drop-oldest': /^\d+ written, \d+ dropped; \d\.\d MiB held; code 1000$/,
    wait: /^\d+ written, \d+ refused; \d\.\d MiB held; code 1000$/,
  };

  test.each(STEPS.slice(0, 4))('$name', async (step) => {
    const [, policy] = /overflow: '(.*)'/.exec(step.name)!;
    expect(await take(step)).toMatch(EXPECTED[policy!]!);
  });

  test.each(STEPS.slice(4))('$name', async (step) => {
    const told = await take(step);
    expect(told).toMatch(
      /^1024 parts arrive; at most \d+ KiB held$|^the balance is 200$|^10 acknowledged$/,
    );
  });
});
