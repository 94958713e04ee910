import { describe, expect, test } from '@jest/globals';
import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import {
  SafeCloseModule,
  type CloseOutcome,
  type Connection,
  type SafeCloseService,
} from '../../src/index.js';
import { nextMacrotask, within } from '../support/waiting.js';
import { boot, exportsOf, type Booted } from './booting.js';
import { DocsClient } from './client.js';

const AUTHENTICATION = 'docs/guides/authentication.md';
const ADOPTING = 'docs/guides/adopting.md';

@WebSocketGateway()
class EchoGateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() data: unknown): unknown {
    return { event: 'echo', data };
  }
}

/** The outcome of the one connection there is. */
function outcomeOf({ connections }: SafeCloseService): Promise<CloseOutcome> {
  const [connection] = connections;
  return within(connection!.closed, 'the outcome of the close');
}

describe('the gateway of the README', () => {
  interface Parts {
    OrdersGateway: Type<{
      notify(client: string, id: string): Promise<void>;
      expire(client: string): Promise<CloseOutcome>;
    }>;
    Orders: Type<{ unread: string[] }>;
  }

  async function start(): Promise<Parts & Booted> {
    const parts = (await exportsOf('README.md', 'orders')) as unknown as Parts;
    const started = await boot({
      imports: [SafeCloseModule.forRoot()],
      providers: [parts.OrdersGateway, parts.Orders],
    });
    return { ...parts, ...started };
  }

  test('rejects who has not logged in', async () => {
    const { url } = await start();
    const client = await DocsClient.connect(url);
    expect(await client.closed()).toEqual([4401, 'log in first']);
  });

  test('serves, notifies and expires who has', async () => {
    const { url, app, service, OrdersGateway, Orders } = await start();
    const client = await DocsClient.connect(url, { authorization: 'Ada' });
    client.emit('order', '7');
    expect(await client.message(0)).toEqual({ event: 'order', data: { id: '7', total: 12 } });
    client.emit('who');
    const [connection] = service.connections;
    const { id } = connection!;
    expect(await client.message(1)).toEqual({
      event: 'who',
      data: { id, user: 'Ada', inFlight: 1 },
    });
    const gateway = app.get(OrdersGateway);
    await gateway.notify(id, '7');
    expect(await client.message(2)).toEqual({ event: 'shipped', data: '7' });
    expect(app.get(Orders).unread).toEqual([]);
    const outcome = await gateway.expire(id);
    expect(outcome).toMatchObject({ code: 4001, handshake: 'clean', acknowledged: true });
    expect(await client.closed()).toEqual([4001, 'session expired']);
    await gateway.notify(id, '8');
    expect(app.get(Orders).unread).toEqual(['8']);
  });
});

test('the serializer of the README reads and writes its own format', async () => {
  const { safeClose } = (await exportsOf('README.md', 'serializer')) as unknown as {
    safeClose: DynamicModule;
  };
  const { url } = await boot({ imports: [safeClose], providers: [EchoGateway] });
  const client = await DocsClient.connect(url);
  client.socket.send('echo:hello');
  expect(await client.messages.at(0, 'reply')).toBe('echo:hello');
});

/** An app with the gateway of a block of the guide. */
async function startGuide(name: string, timeout = 10_000): Promise<Booted> {
  const { AccountGateway } = await exportsOf(AUTHENTICATION, name);
  return boot({
    imports: [SafeCloseModule.forRoot({ connect: { timeout } })],
    providers: [AccountGateway!],
  });
}

test('a handler that heeds its signal ends with the connection, and no error is told', async () => {
  const { ReportGateway } = await exportsOf('docs/how-it-works.md', 'signal');
  const errors: unknown[] = [];
  const { url, service } = await boot(
    { imports: [SafeCloseModule.forRoot()], providers: [ReportGateway!] },
    (app) => app.useLogger({ log() {}, warn() {}, error: (line: unknown) => errors.push(line) }),
  );
  const client = await DocsClient.connect(url);
  client.emit('report');
  // A connection answers in order: the pong comes once the handler runs.
  client.socket.ping();
  await once(client.socket, 'pong');
  const [connection] = service.connections;
  expect(connection!.inFlight).toBe(1);
  await service.close(connection!.id);
  expect(connection!.inFlight).toBe(0);
  expect(errors).toEqual([]);
});

describe('authentication by the upgrade request', () => {
  test('lets who has a session in', async () => {
    const { url } = await startGuide('by-request');
    const client = await DocsClient.connect(url, { cookie: 'session=Ada' });
    client.emit('greet', 'Hello');
    expect(await client.message(0)).toEqual({ event: 'greeted', data: 'Hello, Ada' });
  });

  test('closes with the code of its own for who has none', async () => {
    const { url } = await startGuide('by-request');
    const client = await DocsClient.connect(url);
    client.emit('greet', 'Hello');
    expect(await client.closed()).toEqual([4401, 'no session']);
    expect(client.messages.all).toEqual([]);
  });
});

describe('authentication by the first message', () => {
  test('answers the token once it is verified', async () => {
    const { url } = await startGuide('by-first-message');
    const client = await DocsClient.connect(url);
    client.emit('authenticate', 'a valid token');
    expect(await client.message(0)).toEqual({ event: 'welcome', data: 'Ada' });
  });

  test.each([
    ['a wrong token', '{"event":"authenticate","data":"a wrong one"}'],
    ['another message', '{"event":"greet"}'],
    ['no JSON', 'hello'],
  ])('rejects %s', async (_what, frame) => {
    const { url } = await startGuide('by-first-message');
    const client = await DocsClient.connect(url);
    client.socket.send(frame);
    expect(await client.closed()).toEqual([4401, 'authenticate first']);
    expect(client.messages.all).toEqual([]);
  });

  test('closes who sends nothing in time', async () => {
    const { url } = await startGuide('by-first-message', 50);
    const client = await DocsClient.connect(url);
    expect(await client.closed()).toEqual([1013, 'not ready in time']);
  });

  test('takes a client that leaves without a word for no error', async () => {
    const { url, service } = await startGuide('by-first-message');
    const client = await DocsClient.connect(url);
    const outcome = outcomeOf(service);
    client.socket.close(1000);
    expect((await outcome).initiator).toBe('peer');
    expect(service.report().races['hook-rejection']).toBe(0);
  });
});

describe('adopting', () => {
  test('observing, the app counts an early message and lets its handler run', async () => {
    const { AppModule } = await exportsOf(ADOPTING, 'observe');
    const { url, service } = await boot({ imports: [AppModule!], providers: [EchoGateway] });
    const client = await DocsClient.connect(url);
    client.emit('echo', 1);
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    expect(service.report().connections).toEqual({ opened: 1, open: 1, closed: 0 });
  });

  test('the report can be read over HTTP', async () => {
    const { ReportController } = await exportsOf(ADOPTING, 'report');
    const { url } = await boot({
      imports: [SafeCloseModule.forRoot()],
      controllers: [ReportController!],
    });
    const response = await fetch(`${url.replace('ws:', 'http:')}/internal/connections`);
    expect(await response.json()).toMatchObject({ connections: { opened: 0 }, races: {} });
  });

  test('an adapter that extends ours takes its place', async () => {
    const { LimitedWsAdapter } = await exportsOf(ADOPTING, 'own-adapter');
    const { url, service } = await boot(
      { imports: [SafeCloseModule.forRoot()], providers: [EchoGateway] },
      (app: INestApplication) => {
        app.useWebSocketAdapter(new LimitedWsAdapter!(app) as never);
      },
    );
    const client = await DocsClient.connect(url);
    client.emit('echo', 1);
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    client.socket.send(Buffer.alloc(64 * 1024 + 1));
    expect(await client.closed()).toEqual([1009, '']);
    expect(service.report().races['protocol-error']).toBe(1);
  });

  test('the interceptor gives sockets of another adapter an owner', async () => {
    const { AppModule } = await exportsOf(ADOPTING, 'interceptor');
    const { url, service } = await boot({ imports: [AppModule!] }, (app) => {
      app.useWebSocketAdapter(new WsAdapter(app));
    });
    const client = await DocsClient.connect(url);
    expect(service.connections.size).toBe(0);
    client.emit('echo', 1);
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    const outcome = outcomeOf(service);
    client.socket.close(1000);
    await once(client.socket, 'close');
    expect((await outcome).code).toBe(1000);
  });
});

describe('the guide to sessions', () => {
  const SESSIONS = 'docs/guides/sessions.md';

  async function start(): Promise<
    Booted & { online: Map<string, number>; logOut: (user: string) => Promise<unknown> }
  > {
    const { PresenceModule, PresenceGateway } = await exportsOf(SESSIONS, 'presence');
    const booted = await boot({ imports: [PresenceModule!] });
    const gateway = booted.app.get<{
      online: Map<string, number>;
      logOut: (user: string) => Promise<unknown>;
    }>(PresenceGateway!);
    return { ...booted, online: gateway.online, logOut: (user) => gateway.logOut(user) };
  }

  test('keeps a user online who comes back, and lets one connection each', async () => {
    const { url, online, service } = await start();
    const first = await DocsClient.connect(`${url}/?user=ann`);
    const again = await DocsClient.connect(`${url}/?user=ann`);
    expect((await first.closed())[0]).toBe(4409);
    await within(
      until(() => online.get('ann') === 1),
      'one connection',
    );
    const [kept] = [...service.connections];
    expect(kept!.identity).toBe('ann');
    again.socket.close(1000);
    await within(
      until(() => online.size === 0),
      'nobody online',
    );
  });

  test('rejects who has no name, and logs out everywhere', async () => {
    const { url, logOut, online, service } = await start();
    expect(await (await DocsClient.connect(url)).closed()).toEqual([4401, 'who are you?']);
    const ann = await DocsClient.connect(`${url}/?user=ann`);
    await within(
      until(
        () => service.connections.size === 1 && [...service.connections][0]!.identity === 'ann',
      ),
      'somebody online',
    );
    expect([...online]).toEqual([['ann', 1]]);
    await logOut('ann');
    expect(await ann.closed()).toEqual([4401, 'logged out']);
  });
});

async function until(happened: () => boolean): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  while (!happened()) await nextMacrotask();
}

test('the guide to rolling deploys says goodbye, and is not ready from then on', async () => {
  const { LobbyModule } = await exportsOf('docs/guides/rolling-deploys.md', 'readiness');
  const { url, service } = await boot({ imports: [LobbyModule!] });
  const client = await DocsClient.connect(url);
  const ready = async (): Promise<number> =>
    (await fetch(`${url.replace('ws:', 'http:')}/ready`)).status;
  expect(await ready()).toBe(200);
  await service.drain();
  expect(await client.message(0)).toEqual({ event: 'restarting' });
  expect(await client.closed()).toEqual([1001, 'server is shutting down']);
  expect(await ready()).toBe(503);
});

const SLOW_READERS = 'docs/guides/slow-readers.md';
const ORDER = 'docs/guides/order-and-limits.md';

test('an export is read to its end, as it is and through operators', async () => {
  const { ExportGateway } = (await exportsOf(SLOW_READERS, 'export')) as unknown as {
    ExportGateway: Type<{ replay(connection: Connection, lines: string[]): Promise<void> }>;
  };
  const { url, app, service } = await boot({
    imports: [SafeCloseModule.forRoot()],
    providers: [ExportGateway],
  });
  const client = await DocsClient.connect(url);
  client.emit('export', 200);
  expect(await client.message(199)).toEqual({ event: 'row', data: { id: 200, text: 'a row' } });
  client.emit('export ids', 100);
  expect(await client.message(299)).toEqual({ event: 'id', data: 100 });
  client.emit('cursor', { user: 'Ada', x: 1 });
  expect(await client.message(300)).toEqual({ event: 'cursor', data: { user: 'Ada', x: 1 } });
  const [connection] = service.connections;
  await app.get(ExportGateway).replay(connection!, ['a', 'b']);
  expect(await client.message(302)).toEqual({ event: 'line', data: 'b' });
  await connection!.close();
  await app.get(ExportGateway).replay(connection!, ['late']);
});

test('what did not reach a client reaches it when it comes back', async () => {
  const { safeClose, InboxGateway } = (await exportsOf(SLOW_READERS, 'outbox')) as unknown as {
    safeClose: DynamicModule;
    InboxGateway: Type<object>;
  };
  const { url, service } = await boot({ imports: [safeClose], providers: [InboxGateway] });
  const first = await DocsClient.connect(url, { authorization: 'Ada' });
  const [connection] = service.connections;
  expect(await connection!.emit('read', 1, { acknowledge: true })).toEqual({
    status: 'acknowledged',
  });
  first.socket.pause();
  for (const n of [2, 3]) connection!.post('unread', n);
  first.socket.terminate();
  await within(connection!.closed, 'the end of the connection');
  await nextMacrotask();
  const second = await DocsClient.connect(url, { authorization: 'Ada' });
  expect(await second.message(0)).toEqual({ event: 'unread', data: 2 });
  expect(await second.message(1)).toEqual({ event: 'unread', data: 3 });
});

test('an editor writes what it was sent, in order', async () => {
  const { EditorGateway } = (await exportsOf(ORDER, 'order')) as unknown as {
    EditorGateway: Type<object>;
  };
  const { url } = await boot({ imports: [SafeCloseModule.forRoot()], providers: [EditorGateway] });
  const client = await DocsClient.connect(url);
  for (const letter of 'abc') client.emit('append', letter);
  client.emit('ping me');
  const replies = [0, 1, 2, 3].map((index) => client.message(index));
  const texts = (await Promise.all(replies)) as { event: string; data?: string }[];
  expect(texts.filter(({ event }) => event === 'text').map(({ data }) => data)).toEqual([
    'a',
    'ab',
    'abc',
  ]);
});

test('the limits of the guide let two of one address in', async () => {
  const { safeClose } = (await exportsOf(ORDER, 'limits')) as unknown as {
    safeClose: DynamicModule;
  };
  const { url } = await boot({ imports: [safeClose], providers: [EchoGateway] });
  const headers = { 'x-forwarded-for': '203.0.113.1' };
  await DocsClient.connect(url, headers);
  await DocsClient.connect(url, headers);
  await expect(DocsClient.connect(url, headers)).rejects.toThrow('429');
  await DocsClient.connect(url, { 'x-forwarded-for': '203.0.113.2' });
});

test('what is said in a room is heard there, and told to have been', async () => {
  const { RoomsGateway } = (await exportsOf('docs/guides/rooms.md', 'rooms')) as unknown as {
    RoomsGateway: Type<{ endRoom(room: string): Promise<unknown> }>;
  };
  const { url, app } = await boot({
    imports: [SafeCloseModule.forRoot()],
    providers: [RoomsGateway],
  });
  const [ann, bob, eve] = await Promise.all([1, 2, 3].map(() => DocsClient.connect(url)));
  for (const [client, room] of [
    [ann, 'a'],
    [bob, 'a'],
    [eve, 'b'],
  ] as const) {
    client!.emit('join', room);
    // oxlint-disable-next-line no-await-in-loop
    expect(await client!.message(0)).toEqual({ event: 'joined', data: [room] });
  }
  ann!.emit('say', { room: 'a', text: 'hello' });
  expect(await bob!.message(1)).toEqual({ event: 'said', data: 'hello' });
  expect(await ann!.message(1)).toEqual({ event: 'delivered', data: '1 of 1' });
  const ended = app.get(RoomsGateway).endRoom('a');
  expect(await ann!.closed()).toEqual([4000, 'the room has ended']);
  expect(await ended).toMatchObject({ targets: 2, clean: 2 });
});
