import { describe, expect, test } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import {
  ConnectionRejectedException,
  SafeCloseService,
  type SafeCloseOptions,
} from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { deferred, nextMacrotask, Tally, within, type Deferred } from '../support/waiting.js';
import { host, type Hosted } from './hosting.js';

function queryOf(request: IncomingMessage, name: string): string | undefined {
  return new URL(request.url!, 'ws://localhost').searchParams.get(name) ?? undefined;
}

const identity = (_client: WebSocket, request: IncomingMessage): string | undefined =>
  queryOf(request, 'user');

@WebSocketGateway()
class Door {
  readonly log = new Tally<string>();
  readonly sockets = new Tally<WebSocket>();
  readonly #names = new WeakMap<WebSocket, string>();
  leaving: Deferred<void> | undefined;
  /** What is done at the door, for the client of that name. */
  at: (client: WebSocket, name: string) => unknown = () => {};

  async handleConnection(client: WebSocket, request: IncomingMessage): Promise<void> {
    const name = queryOf(request, 'name') ?? '';
    this.#names.set(client, name);
    this.log.add(`C+ ${name}`);
    this.sockets.add(client);
    await this.at(client, name);
    this.log.add(`C- ${name}`);
  }

  async handleDisconnect(client: WebSocket): Promise<void> {
    const name = this.#names.get(client)!;
    this.log.add(`D+ ${name}`);
    await this.leaving?.promise;
    this.log.add(`D- ${name}`);
  }
}

interface Setting extends Hosted {
  readonly door: Door;
  join(name: string, user?: string): Promise<WsClient>;
}

async function open(safeClose: SafeCloseOptions): Promise<Setting> {
  const hosted = await host({ providers: [Door], safeClose });
  const join = (name: string, user?: string): Promise<WsClient> =>
    WsClient.connect(hosted.url(`/?name=${name}${user ? `&user=${user}` : ''}`));
  return Object.assign(hosted, { door: hosted.get(Door), join });
}

/** Once the connection may be used. */
async function accepted(hosted: Hosted, count: number): Promise<void> {
  const ready = new Tally();
  const subscription = hosted.service.events$.subscribe(({ type }) => {
    if (type === 'ready') ready.add();
  });
  const states = [...hosted.service.connections].filter(({ state }) => state === 'open').length;
  await ready.reached(count - states, 'connection ready');
  subscription.unsubscribe();
}

function identities(service: SafeCloseService): (string | undefined)[] {
  return [...service.connections].map((connection) => connection.identity);
}

describe('the identity option', () => {
  test('says whose a connection is, once handleConnection has accepted it', async () => {
    const setting = await open({ identity });
    const gate = deferred();
    setting.door.at = () => gate.promise;
    await setting.join('a', 'ann');
    await setting.door.sockets.reached(1, 'connection');
    expect(identities(setting.service)).toEqual([undefined]);
    gate.resolve();
    await accepted(setting, 1);
    expect(identities(setting.service)).toEqual(['ann']);
  });

  test('may be asynchronous, and may not know', async () => {
    const setting = await open({
      identity: async (client, request) => {
        await nextMacrotask();
        return identity(client, request);
      },
    });
    await setting.join('a', 'ann');
    await setting.join('b');
    await accepted(setting, 2);
    expect(identities(setting.service)).toEqual(['ann', undefined]);
  });

  test('that throws closes the connection with 1011, and is told with the fix', async () => {
    const setting = await open({
      identity: () => {
        throw new Error('no such token');
      },
    });
    const client = await setting.join('a', 'ann');
    expect(await client.closed()).toEqual({ code: 1011, reason: '' });
    expect(setting.logs.matching('warn', 'The identity or session.expiresAt option')).toHaveLength(
      1,
    );
  });

  test('may reject with a code of its own', async () => {
    const setting = await open({
      identity: () => Promise.reject(new ConnectionRejectedException(4403, 'banned')),
    });
    const client = await setting.join('a', 'ann');
    expect(await client.closed()).toEqual({ code: 4403, reason: 'banned' });
  });
});

describe('connections of one identity', () => {
  const one = { identity, session: { maxPerIdentity: 1 } };

  test('the oldest is closed with 4409 where there are too many', async () => {
    const setting = await open(one);
    const old = await setting.join('old', 'ann');
    await accepted(setting, 1);
    await setting.join('other', 'bob');
    await accepted(setting, 2);
    const young = await setting.join('young', 'ann');
    expect((await old.closed()).code).toBe(4409);
    young.emit('nothing');
    await setting.door.log.reached(8, 'hook passed');
    expect(new Set(identities(setting.service))).toEqual(new Set(['ann', 'bob']));
    expect(setting.service.connections.size).toBe(2);
    expect(setting.service.report().races['session-excess']).toBe(1);
  });

  test('the new one is closed where the old ones are to stay', async () => {
    const setting = await open({
      identity,
      session: { maxPerIdentity: 1, onExcess: 'reject-new' },
    });
    await setting.join('old', 'ann');
    await accepted(setting, 1);
    const young = await setting.join('young', 'ann');
    expect((await young.closed()).code).toBe(4409);
    await setting.door.log.reached(6, 'hook passed');
    expect(identities(setting.service)).toEqual(['ann']);
  });

  test('a forged identity kicks nobody: handleConnection has to accept it first', async () => {
    const setting = await open(one);
    const victim = await setting.join('victim', 'ann');
    await accepted(setting, 1);
    setting.door.at = () => Promise.reject(new ConnectionRejectedException(4401, 'no token'));
    const forger = await setting.join('forger', 'ann');
    expect((await forger.closed()).code).toBe(4401);
    expect(victim.socket.readyState).toBe(victim.socket.OPEN);
    expect(setting.service.report().races['session-excess']).toBe(0);
  });

  test('one that kicks the former one in its handleConnection waits for nothing', async () => {
    const setting = await open({ identity });
    const old = await setting.join('old', 'ann');
    await accepted(setting, 1);
    const former = setting.door.sockets.all[0]!;
    setting.door.leaving = deferred();
    setting.door.at = () => setting.service.close(former, 4000, 'replaced');
    await setting.join('young', 'ann');
    await setting.door.log.reached(5, 'hook passed');
    expect(setting.door.log.all).toEqual(['C+ old', 'C- old', 'C+ young', 'D+ old', 'C- young']);
    expect((await old.closed()).code).toBe(4000);
    setting.door.leaving.resolve();
    await setting.door.log.reached(6, 'hook passed');
  });

  test('one whose former handleDisconnect never ends waits no longer than settleTimeout', async () => {
    const setting = await open({ identity, handlers: { settleTimeout: 50 } });
    const old = await setting.join('old', 'ann');
    await accepted(setting, 1);
    setting.door.leaving = deferred();
    old.close();
    await setting.door.log.reached(3, 'hook passed');
    await setting.join('young', 'ann');
    await setting.door.log.reached(5, 'hook passed');
    expect(setting.door.log.all.slice(3)).toEqual(['C+ young', 'C- young']);
    expect(setting.logs.matching('warn', 'same identity')).toHaveLength(1);
    setting.door.leaving.resolve();
  });

  test('one that leaves while it waits is never told of, neither its coming nor its going', async () => {
    const setting = await open({ identity });
    const old = await setting.join('old', 'ann');
    await accepted(setting, 1);
    setting.door.leaving = deferred();
    old.close();
    await setting.door.log.reached(3, 'hook passed');
    const young = await setting.join('young', 'ann');
    const [connection] = [...setting.service.connections];
    await within(connection!.terminate(), 'the end of the young one');
    await young.closed();
    setting.door.leaving.resolve();
    await setting.door.log.reached(4, 'hook passed');
    await nextMacrotask();
    expect(setting.door.log.all).toEqual(['C+ old', 'C- old', 'D+ old', 'D- old']);
  });

  test('a message that comes while it waits is seen by a listener of handleConnection', async () => {
    const setting = await open({ identity });
    const old = await setting.join('old', 'ann');
    await accepted(setting, 1);
    setting.door.leaving = deferred();
    old.close();
    await setting.door.log.reached(3, 'hook passed');
    const first = deferred<string>();
    setting.door.at = (client) =>
      void client.once('message', (data: Buffer) => first.resolve(data.toString()));
    const young = await setting.join('young', 'ann');
    young.text('my token');
    await nextMacrotask();
    setting.door.leaving.resolve();
    expect(await within(first.promise, 'the first message')).toBe('my token');
  });

  test('identify() in handleConnection is the same, where only that knows whose it is', async () => {
    const setting = await open({ session: { maxPerIdentity: 1 } });
    setting.door.at = (client) => setting.service.connection(client)!.identify('ann');
    const old = await setting.join('old');
    await accepted(setting, 1);
    setting.door.leaving = deferred();
    old.close();
    await setting.door.log.reached(3, 'hook passed');
    await setting.join('young');
    await setting.door.log.reached(4, 'hook passed');
    await nextMacrotask();
    expect(setting.door.log.all).toEqual(['C+ old', 'C- old', 'D+ old', 'C+ young']);
    setting.door.leaving.resolve();
    await setting.door.log.reached(6, 'hook passed');
    expect(setting.door.log.all.slice(4)).toEqual(['D- old', 'C- young']);
    await setting.join('third');
    await setting.door.log.reached(8, 'hook passed');
    await setting.door.log.reached(10, 'hook passed');
    expect(identities(setting.service)).toEqual(['ann']);
  });
});

function slip(): boolean {
  throw new Error('a slip');
}

describe('closeWhere()', () => {
  test('closes all of an identity, but those excepted, and sums up', async () => {
    const setting = await open({ identity });
    const first = await setting.join('first', 'ann');
    const second = await setting.join('second', 'ann');
    const other = await setting.join('other', 'bob');
    await accepted(setting, 3);
    const kept = setting.door.sockets.all[1]!;
    const target = { identity: 'ann', except: kept };
    expect(await setting.service.closeWhere(target, 4001, 'logged out')).toEqual({
      targets: 1,
      clean: 1,
      crossed: 0,
      terminated: 0,
      lost: 0,
    });
    expect(await first.closed()).toEqual({ code: 4001, reason: 'logged out' });
    expect([second, other].map(({ socket }) => socket.readyState)).toEqual([1, 1]);
  });

  test('closes each as close() does, with the options given', async () => {
    const setting = await open({ identity });
    const client = await setting.join('first', 'ann');
    await accepted(setting, 1);
    const closed = setting.service.closeWhere({}, 1000, 'routine', { precedence: 99 });
    setting.door.sockets.all[0]!.close(4000, 'worse');
    expect(await closed).toMatchObject({ targets: 1, clean: 1 });
    expect(await client.closed()).toEqual({ code: 1000, reason: 'routine' });
  });

  test('names all by {}, some by where, and nobody by what is undefined or no target', async () => {
    const setting = await open({ identity });
    await setting.join('first', 'ann');
    await setting.join('second', 'bob');
    await accepted(setting, 2);
    const { service } = setting;
    const nobody: unknown[] = [
      undefined,
      null,
      'ann',
      [],
      { identity: undefined },
      { user: 'ann' },
      setting.door.sockets.all[0],
      { where: () => Promise.resolve(true) },
      { where: () => undefined },
      { where: null },
    ];
    for (const target of nobody) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await service.closeWhere(target as never)).targets).toBe(0);
    }
    expect((await service.closeWhere({ where: slip })).targets).toBe(0);
    expect(service.report().races['listener-error']).toBe(2);
    expect((await service.closeWhere({ where: (c) => c.identity === 'bob' })).targets).toBe(1);
    expect((await service.closeWhere({})).targets).toBe(1);
    expect(service.connections.size).toBe(0);
  });
});

describe('how long a connection may last', () => {
  test('at maxAge it is closed with 1012', async () => {
    const setting = await open({ session: { maxAge: 100 } });
    const client = await setting.join('a');
    expect((await client.closed()).code).toBe(1012);
  });

  test('at the expiry of its credential it is closed with 4401', async () => {
    const setting = await open({
      session: { expiresAt: () => new Date(Date.now() + 50) },
    });
    const client = await setting.join('a');
    expect((await client.closed()).code).toBe(4401);
  });

  test('the expiry can be put off, and brought forward', async () => {
    const setting = await open({ session: { expiresAt: () => new Date(Date.now() + 60_000) } });
    const client = await setting.join('a');
    await accepted(setting, 1);
    const [connection] = [...setting.service.connections];
    connection!.expiresAt(undefined);
    connection!.expiresAt(new Date(Date.now() - 1));
    expect((await client.closed()).code).toBe(4401);
    connection!.expiresAt(new Date());
  });

  test('seconds taken for milliseconds close at once, with a warning that says so', async () => {
    const exp = Math.round(Date.now() / 1000) + 3_600;
    const setting = await open({ session: { expiresAt: () => new Date(exp) } });
    const client = await setting.join('a');
    expect((await client.closed()).code).toBe(4401);
    expect(setting.logs.matching('warn', 'exp * 1000')).toHaveLength(1);
  });
});

test('handleDisconnect runs also where the app has removed all listeners of the socket', async () => {
  const setting = await open({});
  const { door } = setting;
  const client = await setting.join('a');
  await door.log.reached(2, 'hook passed');
  door.sockets.all[0]!.removeAllListeners('close');
  client.close();
  await door.log.reached(4, 'hook passed');
  expect(door.log.all).toEqual(['C+ a', 'C- a', 'D+ a', 'D- a']);
});
