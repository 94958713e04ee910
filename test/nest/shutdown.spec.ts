import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { describe, expect, test } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { WsAdapter } from '@nestjs/platform-ws';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import {
  SafeCloseService,
  type DrainProgress,
  type OnGatewayDrain,
  type SafeCloseOptions,
} from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { deferred, Tally, within } from '../support/waiting.js';
import { bootError, host, type Hosted } from './hosting.js';

@WebSocketGateway()
class Lobby implements OnGatewayDrain {
  readonly arrivals = new Tally<WebSocket>();
  readonly started = new Tally();
  readonly gate = deferred();
  goodbye: (client: WebSocket) => unknown = (client) => client.send('goodbye');

  handleConnection(client: WebSocket): void {
    this.arrivals.add(client);
  }

  handleDrain(client: WebSocket): void | Promise<void> {
    return this.goodbye(client) as void;
  }

  @SubscribeMessage('work')
  async work(): Promise<unknown> {
    this.started.add();
    await this.gate.promise;
    return { event: 'worked' };
  }
}

async function open(safeClose: SafeCloseOptions = {}): Promise<Hosted & { lobby: Lobby }> {
  const hosted = await host({ providers: [Lobby], safeClose });
  return Object.assign(hosted, { lobby: hosted.get(Lobby) });
}

describe('drain()', () => {
  test('answers what runs, says goodbye, closes with 1001, and reports', async () => {
    const { service, lobby, url } = bind(await open());
    const client = await WsClient.connect(url());
    client.emit('work');
    await lobby.started.reached(1, 'handler');
    const drained = service.drain();
    expect(service.isDraining).toBe(true);
    client.emit('work');
    lobby.gate.resolve();
    expect(await client.closed()).toEqual({ code: 1001, reason: 'server is shutting down' });
    expect(client.messages.all).toEqual(['goodbye', '{"event":"worked"}']);
    const report = await within(drained, 'the report');
    expect(report).toMatchObject({
      connections: 1,
      clean: 1,
      repliesFlushed: 2,
      deadlineHit: false,
    });
    expect(lobby.started.count).toBe(1);
  });

  test('is one, however often it is asked for, also by the end of the app', async () => {
    const { service, app, url } = bind(await open());
    const client = await WsClient.connect(url());
    const first = service.drain();
    const second = service.drain({ code: 1012 });
    await app.close();
    expect(await second).toBe(await first);
    expect((await client.closed()).code).toBe(1001);
  });

  test('during the start of the app lets nobody in', async () => {
    const hosted = await host({
      providers: [Lobby],
      prepare: async (app) => {
        app.useWebSocketAdapter(new WsAdapter(app));
        const report = await app.get(SafeCloseService).drain();
        expect(report.connections).toBe(0);
      },
    });
    const socket = new WebSocket(hosted.url());
    socket.on('error', () => {});
    const [, response] = (await within(once(socket, 'unexpected-response'), 'the refusal')) as [
      unknown,
      IncomingMessage,
    ];
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '5']);
  });

  test('leaves no listener of signals behind', async () => {
    const { service } = bind(await open());
    const signals = ['SIGTERM', 'SIGINT'] as const;
    const listeners = (): number[] => signals.map((signal) => process.listenerCount(signal));
    const before = listeners();
    await service.drain();
    expect(listeners()).toEqual(before);
  });

  test('takes options for this once, and ignores and tells faulty ones', async () => {
    const { service, logs, url } = bind(await open());
    const client = await WsClient.connect(url());
    await service.drain({ code: 1012, reason: 'new version', timeout: -1 });
    expect(await client.closed()).toEqual({ code: 1012, reason: 'new version' });
    expect(
      logs.matching('warn', 'drain(): timeout is ignored; valid: a whole number'),
    ).toHaveLength(1);
  });

  test.each([null, 'soon', 5, []])('takes %j for no options', async (options) => {
    const { service } = bind(await open());
    expect((await service.drain(options as never)).connections).toBe(0);
  });

  test('a goodbye that fails is told, and closes all the same', async () => {
    const { service, lobby, logs, url } = bind(await open());
    lobby.goodbye = () => Promise.reject(new Error('no words'));
    const client = await WsClient.connect(url());
    await service.drain();
    expect((await client.closed()).code).toBe(1001);
    lobby.goodbye = () => {};
    expect(logs.matching('warn', 'handleDrain of Lobby failed')).toHaveLength(1);
  });

  test('a goodbye that throws is told, and closes all the same', async () => {
    const { service, lobby, logs, url } = bind(await open());
    lobby.goodbye = () => {
      throw new Error('no words');
    };
    const client = await WsClient.connect(url());
    await service.drain();
    expect((await client.closed()).code).toBe(1001);
    expect(logs.matching('warn', 'handleDrain of Lobby failed')).toHaveLength(1);
  });

  test('tells how far it has come, and completes', async () => {
    const { service, lobby, url } = bind(await open());
    const client = await WsClient.connect(url());
    client.emit('work');
    await lobby.started.reached(1, 'handler');
    const steps: DrainProgress[] = [];
    const completed = deferred();
    service.drain$.subscribe({ next: (step) => steps.push(step), complete: completed.resolve });
    void service.drain();
    const joined = deferred<DrainProgress>();
    service.drain$.subscribe(joined.resolve);
    expect(await within(joined.promise, 'the first step')).toMatchObject({ phase: 'waiting' });
    lobby.gate.resolve();
    await within(completed.promise, 'the end of drain$');
    expect(steps[0]).toMatchObject({ phase: 'waiting', asked: 1, total: 1, handlersInFlight: 1 });
    expect(steps.at(-1)).toMatchObject({
      phase: 'drained',
      asked: 1,
      total: 1,
      timeLeft: expect.any(Number),
    });
    const late = deferred();
    service.drain$.subscribe({ complete: late.resolve });
    await within(late.promise, 'the end of drain$ for who comes late');
  });

  test('a subscriber of drain$ that throws harms nobody', async () => {
    const { service } = bind(await open());
    service.drain$.subscribe(() => {
      throw new Error('a slip');
    });
    await service.drain();
    expect(service.report().races['listener-error']).toBeGreaterThan(0);
  });
});

function bind(hosted: Hosted & { lobby: Lobby }): {
  app: Hosted['app'];
  service: Hosted['service'];
  logs: Hosted['logs'];
  lobby: Lobby;
  url: () => string;
} {
  const { app, service, logs, lobby } = hosted;
  return { app, service, logs, lobby, url: () => hosted.url() };
}

describe('the end of the app', () => {
  test('in mode observe is the stock one', async () => {
    const { app, service, url } = bind(await open({ mode: 'observe' }));
    const client = await WsClient.connect(url());
    await app.close();
    expect((await client.closed()).code).toBe(1006);
    expect(service.isDraining).toBe(false);
  });

  test('a module that comes before ours is told of at boot', async () => {
    @Injectable()
    class Pool implements OnModuleDestroy {
      onModuleDestroy(): void {}
    }
    @Module({ providers: [Pool] })
    class EagerModule {
      constructor(modules: ModulesContainer) {
        for (const module of modules.values()) {
          if (module.metatype === EagerModule) module.distance = -2;
        }
      }
    }
    Reflect.defineMetadata('design:paramtypes', [ModulesContainer], EagerModule);
    const { logs } = await host({ imports: [EagerModule] });
    expect(logs.matching('warn', 'onModuleDestroy of EagerModule runs before')).toHaveLength(1);
  });

  test('no other module comes before ours, global ones included', async () => {
    const { logs } = await open();
    expect(logs.matching('warn', 'runs before connections are drained')).toEqual([]);
  });
});

async function faultsOf(safeClose: SafeCloseOptions): Promise<string> {
  return (await bootError({ safeClose })).message;
}

describe('a preset', () => {
  test('sets every budget, and boots', async () => {
    for (const preset of ['cloud-run', 'kubernetes'] as const) {
      // oxlint-disable-next-line no-await-in-loop
      await host({ safeClose: { shutdown: { preset, readinessDelay: 0 } } });
    }
  });

  test('fails the boot where a budget does not fit the platform, with the arithmetic', async () => {
    expect(await faultsOf({ shutdown: { preset: 'cloud-run', timeout: 12_000 } })).toContain(
      'shutdown.timeout: got 12000; valid: at most 10000 (Cloud Run, SIGTERM to SIGKILL) - 1000 ' +
        '(for the rest of app.close()) = 9000',
    );
    expect(
      await faultsOf({ shutdown: { preset: 'kubernetes' }, handlers: { settleTimeout: 20_000 } }),
    ).toContain(
      'at least shutdown.readinessDelay 5000 + handlers.settleTimeout 20000 + ' +
        'close.flushTimeout 5000 + close.handshakeTimeout 5000 = 35000',
    );
    expect(
      await faultsOf({ shutdown: { preset: 'cloud-run' }, session: { maxAge: 3_600_000 } }),
    ).toContain('session.maxAge: got 3600000; valid: less than 3600000, after which Cloud Run');
    expect(await faultsOf({ shutdown: { preset: 'heroku' as never } })).toContain(
      "shutdown.preset: got \"heroku\"; valid: 'cloud-run' or 'kubernetes'",
    );
  });

  test('is not needed for a readiness delay that leaves no time to fail the boot', async () => {
    expect(await faultsOf({ shutdown: { readinessDelay: 10_000 } })).toContain(
      'shutdown.readinessDelay: got 10000; valid: less than shutdown.timeout 10000',
    );
  });
});
