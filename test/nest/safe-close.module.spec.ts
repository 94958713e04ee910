import { describe, expect, test } from '@jest/globals';
import {
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type INestApplication,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { WebSocketGateway } from '@nestjs/websockets';
import {
  InvalidOptionsError,
  SafeCloseModule,
  SafeCloseService,
  SafeCloseWsAdapter,
  SetupError,
  type SafeCloseOptions,
} from '../../src/index.js';
import { afterTest } from '../support/cleanup.js';
import { WsClient } from '../support/clients/ws.client.js';
import { LogKeeper } from '../support/logs.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { bootError, host, rootOf, type Hosted, type Setup } from './hosting.js';

async function echoed(hosted: Hosted, data: unknown): Promise<WsClient> {
  const client = await WsClient.connect(hosted.url());
  client.emit('echo', data);
  expect(await client.message(0)).toEqual({ event: 'echo', data });
  return client;
}

describe('forRoot()', () => {
  test('Without options, and without useWebSocketAdapter(), gateways work', async () => {
    const hosted = await host({ providers: [gatewayOf(Echo)], prepare: () => {} });
    await echoed(hosted, 1);
    expect(hosted.service.connections.size).toBe(1);
  });

  test('Its service can be injected anywhere', async () => {
    @Injectable()
    class Elsewhere {
      constructor(@Inject(SafeCloseService) readonly service: SafeCloseService) {}
    }
    @Module({ providers: [Elsewhere] })
    class Feature {}
    const hosted = await host({ imports: [Feature] });
    expect(hosted.get(Elsewhere).service).toBe(hosted.service);
  });

  test('With isGlobal: false its service can be injected only where it is imported', async () => {
    @Injectable()
    class Elsewhere {
      constructor(@Inject(SafeCloseService) readonly service: SafeCloseService) {}
    }
    @Module({ providers: [Elsewhere] })
    class Feature {}
    const error = await bootError({ imports: [Feature], safeClose: { isGlobal: false } });
    expect(error.message).toContain('SafeCloseService');

    @Module({ providers: [gatewayOf(Echo), Elsewhere] })
    class Root {}
    const hosted = await host({
      safeClose: false,
      imports: [{ module: Root, imports: [SafeCloseModule.forRoot({ isGlobal: false })] }],
    });
    await echoed(hosted, 1);
    expect(hosted.get(Elsewhere).service.connections.size).toBe(1);
  });

  test('Twice in one app is an error that says which one to keep', async () => {
    @Module({ imports: [SafeCloseModule.forRoot()] })
    class Feature {}
    const error = await bootError({ imports: [Feature] });
    expect(error).toBeInstanceOf(SetupError);
    expect(error).toMatchObject({ code: 'ERR_MODULE_TWICE' });
    expect(error.message).toContain('keep the one in the root module');
  });

  test('forRoot() and forRootAsync() in one app are the same error', async () => {
    const error = await bootError({
      imports: [SafeCloseModule.forRootAsync({ useFactory: () => ({}) })],
    });
    expect(error).toMatchObject({ code: 'ERR_MODULE_TWICE' });
  });
});

describe('forRootAsync()', () => {
  @Injectable()
  class Settings {
    readonly timeout = 40;

    create(): SafeCloseOptions {
      return { connect: { timeout: this.timeout } };
    }
  }

  @Module({ providers: [Settings], exports: [Settings] })
  class SettingsModule {}

  class NeverReady {
    handleConnection(): Promise<void> {
      return new Promise(() => {});
    }
  }

  const ways: Record<string, Parameters<typeof SafeCloseModule.forRootAsync>[0]> = {
    useFactory: {
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: async (...settings: unknown[]) => {
        await Promise.resolve();
        return (settings[0] as Settings).create();
      },
    },
    useClass: { useClass: Settings },
    useExisting: { imports: [SettingsModule], useExisting: Settings },
  };

  test.each(Object.entries(ways))('takes its options from %s', async (_name, options) => {
    const hosted = await host({
      safeClose: false,
      imports: [SafeCloseModule.forRootAsync(options)],
      providers: [gatewayOf(NeverReady)],
    });
    const client = await WsClient.connect(hosted.url());
    expect(await client.closed()).toMatchObject({ code: 1013 });
    expect(hosted.logs.matching('warn', 'within 40 ms')).toHaveLength(1);
  });

  test('checks what the factory returns', async () => {
    const error = await bootError({
      safeClose: false,
      imports: [SafeCloseModule.forRootAsync({ useFactory: () => ({ connect: { timeout: -1 } }) })],
    });
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toContain('connect.timeout: got -1');
  });

  test('with isGlobal: false is not global', async () => {
    @Injectable()
    class Elsewhere {
      constructor(@Inject(SafeCloseService) readonly service: SafeCloseService) {}
    }
    @Module({ providers: [Elsewhere] })
    class Feature {}
    const error = await bootError({
      safeClose: false,
      imports: [SafeCloseModule.forRootAsync({ isGlobal: false, useFactory: () => ({}) }), Feature],
    });
    expect(error.message).toContain('SafeCloseService');
  });
});

describe('Without WebSocket servers the module is inert', () => {
  test('in an application context', async () => {
    const logs = new LogKeeper();
    const context = await NestFactory.createApplicationContext(
      rootOf({ providers: [gatewayOf(Echo)] }),
      { logger: logs, abortOnError: false },
    );
    const service = context.get(SafeCloseService);
    expect(service.connections.size).toBe(0);
    expect(await service.emit('nobody', 'x')).toEqual({
      status: 'refused',
      cause: 'unknown-client',
    });
    await context.close();
    expect(logs.matching('error', '')).toEqual([]);
    expect(logs.matching('warn', '')).toEqual([]);
  });

  test('in an app without gateways', async () => {
    const hosted = await host({});
    expect(hosted.service.report().connections.opened).toBe(0);
    expect(hosted.app.getHttpServer().listenerCount('upgrade')).toBe(0);
    await within(hosted.app.close(), 'the app to close');
  });
});

async function testApp(metadata: ModuleMetadata): Promise<INestApplication> {
  const module = await Test.createTestingModule(metadata).compile();
  const app = module.createNestApplication({ logger: new LogKeeper() });
  afterTest(() => app.close());
  return app;
}

describe('In apps of Test.createTestingModule()', () => {
  test('a gateway works, with and without a WsAdapter', async () => {
    for (const adapter of [true, false]) {
      const Gateway = gatewayOf(Echo);
      const app = await testApp({ imports: [SafeCloseModule.forRoot()], providers: [Gateway] });
      if (adapter) app.useWebSocketAdapter(new WsAdapter(app));
      await app.listen(0, '127.0.0.1');
      const { port } = app.getHttpServer().address() as { port: number };
      const client = await WsClient.connect(`ws://127.0.0.1:${port}/`);
      client.emit('echo', 1);
      expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
      expect(app.get(SafeCloseService).connections.size).toBe(1);
    }
  });

  test('a provider of the gateway can be overridden, and its hooks are those of the other', async () => {
    class Double extends Echo {
      override echo(_client: never, data: unknown): unknown {
        return { event: 'double', data };
      }
      override handleConnection(): Promise<void> {
        return Promise.reject(new Error('not today'));
      }
    }
    const Gateway = gatewayOf(Echo);
    const module = await Test.createTestingModule({
      imports: [SafeCloseModule.forRoot()],
      providers: [Gateway],
    })
      .overrideProvider(Gateway)
      .useClass(gatewayOf(Double))
      .compile();
    const app = module.createNestApplication({ logger: new LogKeeper() });
    afterTest(() => app.close());
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as { port: number };
    const client = await WsClient.connect(`ws://127.0.0.1:${port}/`);
    expect(await client.closed()).toMatchObject({ code: 1011, reason: '' });
  });
});

describe('Apps side by side in one process', () => {
  const routes: { name: string; options: SafeCloseOptions; adapter: typeof WsAdapter }[] = [
    { name: 'our adapter', options: {}, adapter: WsAdapter },
    {
      name: 'an adapter of the app',
      options: { installAdapter: false },
      adapter: class Own extends WsAdapter {},
    },
  ];

  test.each(routes)('share gateway classes: one with $name, one stock', async (route) => {
    const Gateway = gatewayOf(Echo);
    const setup: Setup = {
      providers: [Gateway],
      prepare: (app) => app.useWebSocketAdapter(new route.adapter(app)),
    };
    const ours = await host({ ...setup, safeClose: route.options });
    const stock = await host({ ...setup, safeClose: false });
    await echoed(ours, 'ours');
    const client = await echoed(stock, 'stock');
    expect(ours.get(Gateway).heard.all).toEqual(['ours']);
    expect(stock.get(Gateway).heard.all).toEqual(['stock']);
    expect(ours.service.report().connections.opened).toBe(1);
    client.close();
    await stock.get(Gateway).departures.reached(1, 'handleDisconnect called');
    expect(ours.service.report().connections.opened).toBe(1);
  });

  test.each(routes)('share gateway classes: both with $name', async (route) => {
    const Gateway = gatewayOf(Echo);
    const setup: Setup = {
      providers: [Gateway],
      safeClose: route.options,
      prepare: (app) => app.useWebSocketAdapter(new route.adapter(app)),
    };
    const first = await host(setup);
    const second = await host(setup);
    await echoed(first, 1);
    await echoed(second, 2);
    await echoed(second, 3);
    expect(first.service.report().connections.opened).toBe(1);
    expect(second.service.report().connections.opened).toBe(2);
  });
});

describe('The adapter of the app', () => {
  test('A plain WsAdapter is adopted with its messageParser, which is said once', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({
      providers: [Gateway],
      prepare: (app) =>
        app.useWebSocketAdapter(
          new WsAdapter(app, {
            messageParser: (data) => {
              const [event, text] = (data as Buffer).toString().split(':');
              return { event: event!, data: text };
            },
          }),
        ),
    });
    const client = await WsClient.connect(hosted.url());
    client.text('echo:hello');
    expect(await client.message(0)).toEqual({ event: 'echo', data: 'hello' });
    expect(hosted.logs.matching('log', 'WsAdapter adopted')).toHaveLength(1);
  });

  test('A messageParser that is set after the adapter was adopted counts, too', async () => {
    const hosted = await host({
      providers: [gatewayOf(Echo)],
      prepare: (app) => {
        const adapter = new WsAdapter(app);
        app.useWebSocketAdapter(adapter);
        adapter.setMessageParser((data) => ({ event: 'echo', data: (data as Buffer).toString() }));
      },
    });
    const client = await WsClient.connect(hosted.url());
    client.text('hello');
    expect(await client.message(0)).toEqual({ event: 'echo', data: 'hello' });
  });

  test('A subclass of WsAdapter is refused with the lines to write', async () => {
    class ChatAdapter extends WsAdapter {}
    const error = await bootError({
      providers: [gatewayOf(Echo)],
      prepare: (app) => app.useWebSocketAdapter(new ChatAdapter(app)),
    });
    expect(error).toBeInstanceOf(SetupError);
    expect(error).toMatchObject({ code: 'ERR_FOREIGN_ADAPTER' });
    expect(error.message).toContain('class ChatAdapter extends SafeCloseWsAdapter');
    expect(error.message).toContain('installAdapter: false');
    expect(error.message).toContain('@UseInterceptors(ConnectionLifecycleInterceptor)');
  });

  test('An adapter of another library is refused', async () => {
    class IoAdapter {
      create(): void {}
    }
    const error = await bootError({
      prepare: (app) => app.useWebSocketAdapter(new IoAdapter() as never),
    });
    expect(error).toMatchObject({ code: 'ERR_FOREIGN_ADAPTER' });
    expect(error.message).toContain('IoAdapter');
  });

  test('A subclass of SafeCloseWsAdapter is accepted, and its overrides are called', async () => {
    const created: number[] = [];
    class ChatAdapter extends SafeCloseWsAdapter {
      override create(port: number, options?: Record<string, unknown>): unknown {
        created.push(port);
        return super.create(port, { ...options, maxPayload: 64 });
      }
    }
    const hosted = await host({
      providers: [gatewayOf(Echo)],
      prepare: (app) => app.useWebSocketAdapter(new ChatAdapter(app)),
    });
    const client = await echoed(hosted, 1);
    expect(created).toEqual([0]);
    client.emit('echo', 'x'.repeat(64));
    expect(await client.closed()).toMatchObject({ code: 1009 });
    expect(hosted.service.report().races['protocol-error']).toBe(1);
  });

  test('SafeCloseWsAdapter without the module is an error that says so', async () => {
    const error = await bootError({
      safeClose: false,
      providers: [gatewayOf(Echo)],
      prepare: (app) => app.useWebSocketAdapter(new SafeCloseWsAdapter(app)),
    });
    expect(error).toMatchObject({ code: 'ERR_NO_MODULE' });
    expect(error.message).toContain('SafeCloseModule.forRoot()');
  });
});

describe('Gateways of different modules', () => {
  test('are all found, also in modules that are imported dynamically', async () => {
    const A = gatewayOf(Echo, 0, { path: '/a' });
    const B = gatewayOf(Echo, 0, { path: '/b' });
    @Module({})
    class Feature {}
    const feature: DynamicModule = { module: Feature, providers: [A] };
    const hosted = await host({ imports: [feature], providers: [B] });
    for (const path of ['/a', '/b']) {
      const client = await WsClient.connect(hosted.url(path));
      client.emit('echo', path);
      expect(await client.message(0)).toEqual({ event: 'echo', data: path });
    }
    expect(hosted.service.connections.size).toBe(2);
  });

  test('may have hooks that are arrow functions of the instance', async () => {
    const events = new Tally<string>();
    @WebSocketGateway()
    class Arrows {
      handleConnection = async (): Promise<void> => {
        events.add('connected');
        await Promise.resolve();
        throw new Error('refused');
      };
      handleDisconnect = async (): Promise<void> => {
        events.add('disconnected');
        await Promise.resolve();
        throw new Error('failed');
      };
    }
    for (const options of [{}, { installAdapter: false }]) {
      const hosted = await host({ providers: [Arrows], safeClose: options });
      const client = await WsClient.connect(hosted.url());
      expect(await client.closed()).toEqual({ code: 1011, reason: '' });
      await events.reached(2, 'hook called');
      await nextMacrotask();
      expect(events.all.splice(0)).toEqual(['connected', 'disconnected']);
      expect(hosted.service.report().races['hook-rejection']).toBe(2);
    }
  });
});
