import { describe, expect, test } from '@jest/globals';
import {
  Inject,
  Injectable,
  Scope,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
} from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { of } from 'rxjs';
import type { WebSocket } from 'ws';
import {
  ConnectionLifecycleInterceptor,
  CurrentConnection,
  type Connection,
} from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { nestMajor } from '../support/stack.js';
import { deferred, nextMacrotask, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host, type Setup } from './hosting.js';
import { statusOf } from './upgrades.js';

class AppsOwnAdapter extends WsAdapter {}

const onItsOwnAdapter = {
  safeClose: { installAdapter: false },
  prepare: (app) => app.useWebSocketAdapter(new AppsOwnAdapter(app)),
} satisfies Setup;

describe('On an adapter of the app', () => {
  test('a gateway without the interceptor is served as ever, its connections known by their hooks', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ ...onItsOwnAdapter, providers: [Gateway] });
    const client = await WsClient.connect(hosted.url('/?a=1'));
    client.emit('echo', 1);
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    const [connection] = [...hosted.service.connections];
    expect(connection).toMatchObject({
      state: 'open',
      request: { url: '/?a=1', ip: '127.0.0.1', headers: { upgrade: 'websocket' } },
    });
    await connection!.close(4000, 'bye');
    expect(await client.closed()).toEqual({ code: 4000, reason: 'bye' });
  });

  test('the address of a client is what trusted proxies say', async () => {
    const hosted = await host({
      ...onItsOwnAdapter,
      safeClose: { installAdapter: false, trustProxy: 1 },
      providers: [gatewayOf(Echo)],
    });
    const headers = { 'x-forwarded-for': '203.0.113.1' };
    expect(await statusOf(hosted.url(), headers)).toBe(101);
    const [connection] = [...hosted.service.connections];
    expect(connection!.request.ip).toBe('203.0.113.1');
  });

  test('a gateway without hooks has owned connections from their first message on', async () => {
    @WebSocketGateway()
    @UseInterceptors(ConnectionLifecycleInterceptor)
    class Hookless {
      @SubscribeMessage('id')
      id(@CurrentConnection() connection: Connection): unknown {
        return { event: 'id', data: connection.id };
      }
    }
    const hosted = await host({ ...onItsOwnAdapter, providers: [Hookless] });
    const client = await WsClient.connect(hosted.url());
    await nextMacrotask();
    expect(hosted.service.connections.size).toBe(0);
    client.emit('id');
    const { data } = await client.message(0);
    const connection = hosted.service.connection(data as string)!;
    expect(connection.state).toBe('open');
    client.close(4001);
    expect(await within(connection.closed, 'the outcome')).toMatchObject({
      initiator: 'peer',
      code: 4001,
    });
    expect(hosted.service.connections.size).toBe(0);
  });

  test('a gateway with handleDisconnect alone leaves nothing of a connection behind', async () => {
    const departures = new Tally();
    @WebSocketGateway()
    class Farewell {
      handleDisconnect(): never {
        departures.add();
        throw new Error('at the end');
      }
    }
    const hosted = await host({ ...onItsOwnAdapter, providers: [Farewell] });
    const client = await WsClient.connect(hosted.url());
    client.close();
    await departures.reached(1, 'handleDisconnect called');
    await nextMacrotask();
    expect(hosted.service.connections.size).toBe(0);
    expect(hosted.service.report().races).toMatchObject({
      'hook-rejection': 1,
      'illegal-event': 0,
    });
  });

  test('all gateways of a connection are waited for', async () => {
    const gate = deferred();
    class Slow extends Echo {
      override handleConnection(client: WebSocket): Promise<void> {
        super.handleConnection(client);
        return gate.promise;
      }
    }
    const A = gatewayOf(Echo);
    const B = gatewayOf(Slow);
    for (const Gateway of [A, B]) UseInterceptors(ConnectionLifecycleInterceptor)(Gateway);
    const hosted = await host({ ...onItsOwnAdapter, providers: [A, B] });
    const client = await WsClient.connect(hosted.url());
    client.emit('echo', 1);
    while (hosted.service.report().races['early-message'] < 2) {
      await nextMacrotask();
    }
    expect(hosted.get(A).heard.count + hosted.get(B).heard.count).toBe(0);
    gate.resolve();
    await client.messages.reached(2, 'reply');
  });

  test('messages that wait for readiness are given up where the client leaves first', async () => {
    const gate = deferred();
    class Slow extends Echo {
      override handleConnection(client: WebSocket): Promise<void> {
        super.handleConnection(client);
        return gate.promise;
      }
    }
    const Gateway = gatewayOf(Slow);
    UseInterceptors(ConnectionLifecycleInterceptor)(Gateway);
    const hosted = await host({ ...onItsOwnAdapter, providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    for (let n = 0; n < 5; n++) client.emit('echo', n);
    client.close();
    const gateway = hosted.get(Gateway);
    await gateway.departures.reached(1, 'handleDisconnect called');
    gate.resolve();
    await nextMacrotask();
    expect(gateway.heard.count).toBe(0);
    expect(hosted.service.connections.size).toBe(0);
  });
});

if (nestMajor === 12) {
  test('A request-scoped gateway on an adapter of the app waits for its handleConnection', async () => {
    const gate = deferred();
    const handled = new Tally<unknown>();
    @Injectable({ scope: Scope.REQUEST })
    class PerConnection {
      readonly value = 7;
    }
    @WebSocketGateway()
    @UseInterceptors(ConnectionLifecycleInterceptor)
    class Scoped {
      constructor(@Inject(PerConnection) readonly dependency: PerConnection) {}

      handleConnection(): Promise<void> {
        return gate.promise;
      }

      @SubscribeMessage('echo')
      echo(_client: WebSocket, data: unknown): unknown {
        handled.add(data);
        return { event: 'echo', data: [data, this.dependency.value] };
      }
    }
    const hosted = await host({ ...onItsOwnAdapter, providers: [Scoped, PerConnection] });
    const client = await WsClient.connect(hosted.url());
    client.emit('echo', 1);
    while (hosted.service.report().races['early-message'] === 0) {
      await nextMacrotask();
    }
    expect(handled.count).toBe(0);
    gate.resolve();
    expect(await client.message(0)).toEqual({ event: 'echo', data: [1, 7] });
  });
}

function contextOf(type: string, client: unknown): ExecutionContext {
  return {
    getType: () => type,
    getClass: () => Echo,
    switchToWs: () => ({ getClient: () => client }),
  } as unknown as ExecutionContext;
}

describe('What is no WebSocket is left alone', () => {
  test.each([
    ['an HTTP request', 'http', {}],
    ['a client of socket.io', 'ws', { id: 'x', emit: () => true, connected: true }],
    ['nothing', 'ws', undefined],
  ])('%s', async (_name, type, client) => {
    const hosted = await host({ safeClose: { installAdapter: false } });
    const interceptor = hosted.get(ConnectionLifecycleInterceptor);
    const source = of(1);
    const next: CallHandler = { handle: () => source };
    expect(interceptor.intercept(contextOf(type, client), next)).toBe(source);
    expect(hosted.service.connections.size).toBe(0);
  });

  test('a hook of a gateway whose clients are of another library', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ ...onItsOwnAdapter, providers: [Gateway] });
    const gateway = hosted.get(Gateway);
    const foreign = { id: 'x', emit: () => true } as unknown as WebSocket;
    gateway.handleConnection(foreign);
    gateway.handleDisconnect(foreign);
    expect(gateway.arrivals.all).toEqual([foreign]);
    expect(gateway.departures.all).toEqual([foreign]);
    expect(hosted.service.report().connections.opened).toBe(0);
  });
});

test('@CurrentConnection() without an owner fails with the lines to write', async () => {
  @WebSocketGateway()
  class Lost {
    @SubscribeMessage('id')
    id(@CurrentConnection() connection: Connection): unknown {
      return { event: 'id', data: connection.id };
    }
  }
  const hosted = await host({
    safeClose: false,
    providers: [Lost],
    prepare: (app) => app.useWebSocketAdapter(new AppsOwnAdapter(app)),
  });
  const client = await WsClient.connect(hosted.url());
  client.emit('id');
  while (hosted.logs.matching('error', 'no owner').length === 0) {
    await nextMacrotask();
  }
  const [line] = hosted.logs.matching('error', 'no owner');
  expect(line!.text).toContain('SafeCloseModule.forRoot()');
  expect(line!.text).toContain('@UseInterceptors(ConnectionLifecycleInterceptor)');
});
