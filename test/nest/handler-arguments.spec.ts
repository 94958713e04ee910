/* oxlint-disable typescript/unbound-method -- the method is put back where it was, as it was. */
/* oxlint-disable unicorn/no-thenable -- decorators of apps return such things. */
import {
  createParamDecorator,
  Injectable,
  UsePipes,
  type INestApplication,
  type PipeTransform,
} from '@nestjs/common';
import { afterEach, describe, expect, test } from '@jest/globals';
import { WsAdapter } from '@nestjs/platform-ws';
import { ConnectedSocket, MessageBody, SubscribeMessage, WsException } from '@nestjs/websockets';
import { WsContextCreator } from '@nestjs/websockets/context/ws-context-creator.js';
import { createHook } from 'node:async_hooks';
import { WebSocket } from 'ws';
import type { SafeCloseOptions } from '../../src/index.js';
import { fillArgumentsAtOnce } from '../../src/nest/handler-arguments.js';
import { WsClient } from '../support/clients/ws.client.js';
import { Tally } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';

const Now = createParamDecorator(() => 'now');
const Later = createParamDecorator(() => Promise.resolve('later'));
const Thenable = createParamDecorator(() => ({
  then: (take: (v: string) => void) => take('then'),
}));
const Late = createParamDecorator(() => Promise.reject(new WsException('late')));
const Failing = createParamDecorator((how: string) => {
  throw new WsException(how);
});
const Hostile = createParamDecorator(
  () =>
    new Proxy(
      {},
      {
        get: () => {
          throw new WsException('hostile');
        },
      },
    ),
);

@Injectable()
class Marked implements PipeTransform {
  transform(value: unknown): unknown {
    return value instanceof WebSocket ? value : `piped ${String(value)}`;
  }
}

class Arguments extends Echo {
  readonly given = new Tally<unknown[]>();

  #take(...args: unknown[]): void {
    this.given.add(args.map((value) => (value instanceof WebSocket ? 'the client' : value)));
  }

  @SubscribeMessage('bare')
  bare(...args: unknown[]): void {
    this.#take(...args);
  }

  @SubscribeMessage('decorated')
  decorated(
    @MessageBody() body: unknown,
    @MessageBody('name') name: unknown,
    @ConnectedSocket() client: WebSocket,
  ): void {
    this.#take(body, name, client);
  }

  @SubscribeMessage('custom')
  custom(@Now() now: unknown, @Later() later: unknown, @Thenable() thenable: unknown): void {
    this.#take(now, later, thenable);
  }

  @SubscribeMessage('failing')
  failing(@Failing('now') _now: unknown, @Now() now: unknown, @Late() _late: unknown): void {
    this.#take(now);
  }

  @SubscribeMessage('failing twice')
  failingTwice(@Failing('b') _b: unknown, @Failing('a') _a: unknown, @Late() _c: unknown): void {
    this.#take();
  }

  @SubscribeMessage('failing late')
  failingLate(@Now() now: unknown, @Late() _late: unknown): void {
    this.#take(now);
  }

  @SubscribeMessage('hostile')
  hostile(@Hostile() _hostile: unknown, @Late() _late: unknown): void {
    this.#take();
  }

  @UsePipes(Marked)
  @SubscribeMessage('piped')
  piped(client: WebSocket, data: unknown): void {
    this.#take(client, data);
  }

  @SubscribeMessage('piped body')
  pipedBody(@MessageBody(Marked) data: unknown, @ConnectedSocket() client: WebSocket): void {
    this.#take(client, data);
  }
}

/** What an exception filter said, or else the event. */
function reasonOf(text: string): string {
  const { event, data } = JSON.parse(text) as { event: string; data?: { message?: string } };
  return data?.message ?? event;
}

const nestsOwn = WsContextCreator.prototype.createPipesFn;

function leaveToNest(): void {
  WsContextCreator.prototype.createPipesFn = nestsOwn;
}

afterEach(leaveToNest);

function own(): void {}

async function start(byNest: boolean, parser?: Parameters<WsAdapter['setMessageParser']>[0]) {
  const Gateway = gatewayOf(Arguments);
  const prepare = (app: INestApplication): void => {
    if (byNest) leaveToNest();
    const adapter = new WsAdapter(app);
    if (parser) adapter.setMessageParser(parser);
    app.useWebSocketAdapter(adapter);
  };
  const hosted = await host({ providers: [Gateway], prepare });
  const client = await WsClient.connect(hosted.url());
  return { client, given: hosted.get(Gateway).given };
}

describe.each([
  { who: 'at once', byNest: false },
  { who: 'by Nest', byNest: true },
])('The arguments of a handler, filled in $who', ({ byNest }) => {
  test('are the client and the data, or what decorators say, or what pipes make of it', async () => {
    const { client, given } = await start(byNest);
    for (const event of ['bare', 'decorated', 'custom', 'piped', 'piped body']) {
      client.emit(event, { name: 'n' });
      // oxlint-disable-next-line no-await-in-loop -- their order is not what is looked at
      await given.reached(given.count + 1, event);
    }
    expect(given.all).toEqual([
      ['the client', { name: 'n' }],
      [{ name: 'n' }, 'n', 'the client'],
      ['now', 'later', 'then'],
      ['the client', 'piped [object Object]'],
      ['the client', 'piped [object Object]'],
    ]);
  });

  test('that fail are the exception filter’s, once, and the handler does not run', async () => {
    const { client, given } = await start(byNest);
    for (const event of ['failing', 'failing twice', 'failing late', 'hostile', 'echo']) {
      client.emit(event);
      // oxlint-disable-next-line no-await-in-loop
      await client.messages.reached(client.messages.count + 1, event);
    }
    expect(client.messages.all.map(reasonOf)).toEqual(['now', 'a', 'late', 'hostile', 'echo']);
    expect(given.count).toBe(0);
  });

  test('may be a promise, where the app’s own parser makes one', async () => {
    const { client, given } = await start(byNest, (text) => ({
      event: 'bare',
      data: Promise.resolve(text.toString()),
    }));
    client.text('later');
    expect(await given.at(0, 'handler')).toEqual(['the client', 'later']);
  });
});

const MESSAGES = 100;

/** How many promises so many messages make. */
async function promisesOf(byNest: boolean): Promise<number> {
  const { client, given } = await start(byNest);
  client.emit('bare');
  await given.reached(1, 'first handler');
  const done = given.reached(MESSAGES + 1, 'last handler');
  let made = 0;
  const hook = createHook({ init: (_id, type) => void (made += type === 'PROMISE' ? 1 : 0) });
  hook.enable();
  for (let sent = 0; sent < MESSAGES; sent++) client.emit('bare');
  await done;
  hook.disable();
  return made;
}

test('A message that needs none costs no promise for its arguments', async () => {
  const atOnce = await promisesOf(false);
  const byNest = await promisesOf(true);
  // What is left are those of Nest's other wrappers, and the test's own.
  expect(atOnce / MESSAGES).toBeLessThan(11);
  expect((byNest - atOnce) / MESSAGES).toBeGreaterThan(10);
});

test('Nest’s own is left where it describes parameters in another way, or has none', () => {
  const make = (parameters: object[] | undefined): unknown => {
    WsContextCreator.prototype.createPipesFn = (() => (parameters ? own : null)) as never;
    fillArgumentsAtOnce();
    fillArgumentsAtOnce();
    return WsContextCreator.prototype.createPipesFn([], (parameters ?? []) as never);
  };
  const known = { index: 0, pipes: [], extractValue: () => 1 };
  expect(make([known])).not.toBe(own);
  for (const changed of [{ index: undefined }, { pipes: undefined }, { extractValue: undefined }]) {
    expect(make([known, { ...known, ...changed }])).toBe(own);
  }
  expect(make([{ ...known, pipes: [{}] }])).toBe(own);
  expect(make(undefined)).toBeNull();

  WsContextCreator.prototype.createPipesFn = undefined as never;
  fillArgumentsAtOnce();
  expect(WsContextCreator.prototype.createPipesFn).toBeUndefined();
});

test.each<[string, SafeCloseOptions]>([
  ['is only observed', { mode: 'observe' }],
  ['keeps its adapter', { installAdapter: false }],
])('An app that %s is left to Nest', async (_how, safeClose) => {
  const Gateway = gatewayOf(Arguments);
  await host({ providers: [Gateway], safeClose });
  expect(WsContextCreator.prototype.createPipesFn).toBe(nestsOwn);
});
