import { afterAll, expect } from '@jest/globals';
import { ChildApp } from '../../support/child/child.app.js';
import { afterTest } from '../../support/cleanup.js';
import type { ClientClose } from '../../support/clients/client.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { stack } from '../../support/stack.js';

let lasting: ChildApp | undefined;

/**
 * A server in a process of its own, for races that end the process of a stock server. One of ours
 * has to live through all of them; of the stock ones each gets a new one.
 */
async function hazards(): Promise<ChildApp> {
  if (lasting) return lasting;
  const app = await ChildApp.start(new URL('./fixtures/hazards.program.ts', import.meta.url));
  if (stack === 'safe') lasting = app;
  else afterTest(() => app.stop());
  return app;
}

afterAll(() => lasting?.stop());

interface Faulty {
  readonly what: string;
  readonly close: readonly [code: unknown, reason?: string];
  readonly sees: { readonly code: number; readonly reason: string };
}

const CODE_999: Faulty = {
  what: 'close(999)',
  close: [999, 'x'],
  sees: { code: 1011, reason: 'x' },
};

const FAULTY: readonly Faulty[] = [
  CODE_999,
  { what: 'close(1005)', close: [1005], sees: { code: 1005, reason: '' } },
  { what: 'close(1006)', close: [1006], sees: { code: 1011, reason: '' } },
  { what: 'close(5000)', close: [5000], sees: { code: 1011, reason: '' } },
  { what: 'close("4000")', close: ['4000'], sees: { code: 1011, reason: '' } },
  {
    what: 'close() with a reason of 124 bytes',
    close: [4000, 'é'.repeat(62)],
    sees: { code: 4000, reason: 'é'.repeat(61) },
  },
];

/** How the client saw its connection closed by a server that lives on. */
async function closeSeen(app: ChildApp, client: WsClient): Promise<ClientClose> {
  const seen = await app.while(client.closed());
  await app.alive();
  return seen;
}

async function closeInMessage(
  app: ChildApp,
  place: string,
  { close, sees }: Faulty,
): Promise<void> {
  const client = await WsClient.connect(app.url());
  client.emit(`close in ${place}`, close);
  expect(await closeSeen(app, client)).toEqual(sees);
}

async function closeInHook(app: ChildApp, { close, sees }: Faulty): Promise<void> {
  const query = encodeURIComponent(JSON.stringify(close));
  const client = await app.while(WsClient.connect(app.url(`/?close=${query}`)));
  expect(await closeSeen(app, client)).toEqual(sees);
}

for (const faulty of FAULTY) {
  race(
    `${faulty.what} closes the connection, wherever it is called, and the process lives on`,
    { guarantee: 'G6', stock: 'fails' },
    async () => {
      const app = await hazards();
      await closeInMessage(app, 'a timer', faulty);
      await closeInMessage(app, 'a detached promise', faulty);
      await closeInHook(app, faulty);
    },
  );
}

race(
  'close(999) in a detached promise closes the connection, and the process lives on',
  { guarantee: 'G6', stock: 'fails' },
  async () => await closeInMessage(await hazards(), 'a detached promise', CODE_999),
);

race(
  'close(999) in handleConnection closes the connection, and the process lives on',
  { guarantee: 'G6', stock: 'fails' },
  async () => await closeInHook(await hazards(), CODE_999),
);

for (const kind of ['a BigInt', 'a cycle', 'a throwing toJSON']) {
  race(
    `a handler that returns ${kind} is answered with an exception, and the process lives on`,
    { guarantee: 'G6', stock: 'fails' },
    async () => {
      const app = await hazards();
      for (const event of ['value', 'async value']) {
        const client = await WsClient.connect(app.url());
        client.emit(event, kind);
        expect(await app.while(client.message(0))).toEqual({
          event: 'exception',
          data: { status: 'error', message: 'Internal server error' },
        });
        await app.alive();
      }
    },
  );
}

const REJECTIONS = [
  {
    error: 'rejected',
    what: 'a ConnectionRejectedException',
    sees: { code: 4401, reason: 'no such user' },
  },
  { error: 'ws', what: 'a WsException', sees: { code: 1008, reason: 'token expired' } },
  {
    error: 'object',
    what: 'a WsException of an object',
    sees: { code: 1008, reason: 'token expired' },
  },
  { error: 'internal', what: 'any other error', sees: { code: 1011, reason: '' } },
];

for (const { error, what, sees } of REJECTIONS) {
  race(
    `where handleConnection fails with ${what}, the client sees ${sees.code} and nothing internal, and the process lives on`,
    { guarantee: 'G7', stock: 'fails' },
    async () => {
      const app = await hazards();
      for (const way of ['rejects', 'throws']) {
        const client = await app.while(WsClient.connect(app.url(`/?error=${error}&way=${way}`)));
        expect(await closeSeen(app, client)).toEqual(sees);
        expect(client.messages.count).toBe(0);
      }
    },
  );
}

race(
  'where handleConnection throws in the tick of the upgrade, the process lives on',
  { guarantee: 'G6', stock: 'fails' },
  async () => {
    const app = await hazards();
    const client = await app.while(WsClient.connect(app.url('/?error=internal&way=throws')));
    expect(await closeSeen(app, client)).toEqual({ code: 1011, reason: '' });
  },
);

async function leave(app: ChildApp, path: string): Promise<void> {
  const before = app.notes.count;
  const client = await app.while(WsClient.connect(app.url(path)));
  client.close(1000);
  await app.while(app.notes.reached(before + 1, 'end of a connection in the child'));
  await app.alive();
}

race(
  'where handleDisconnect rejects, the process lives on',
  { guarantee: 'G6', stock: 'fails' },
  async () => await leave(await hazards(), '/?leaving=rejects'),
);

race(
  'where a request-scoped gateway without hooks could not be made, the process lives on as its client leaves',
  { guarantee: 'G6', stock: 'fails', nest: 12 },
  async () => await leave(await hazards(), '/scoped'),
);
