/* oxlint-disable unicorn/no-thenable -- gateways return such things */
import { describe, expect, test } from '@jest/globals';
import { SubscribeMessage } from '@nestjs/websockets';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { ConnectionRejectedException } from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { deferred, nextMacrotask, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';

describe('Raw listeners of the app', () => {
  test('hear messages while handleConnection is pending, which may authenticate by the first', async () => {
    class FirstMessage extends Echo {
      override async handleConnection(client: WebSocket): Promise<void> {
        super.handleConnection(client);
        const [data] = (await once(client, 'message')) as [Buffer];
        const { token } = JSON.parse(data.toString()) as { token?: string };
        if (token !== 'good') throw new ConnectionRejectedException(4401, 'bad token');
      }
    }
    const Gateway = gatewayOf(FirstMessage);
    const hosted = await host({ providers: [Gateway] });

    const good = await WsClient.connect(hosted.url());
    good.text('{"token":"good"}');
    good.emit('echo', 1);
    expect(await good.message(0)).toEqual({ event: 'echo', data: 1 });

    const bad = await WsClient.connect(hosted.url());
    bad.text('{"token":"bad"}');
    bad.emit('echo', 2);
    expect(await bad.closed()).toEqual({ code: 4401, reason: 'bad token' });
    expect(hosted.get(Gateway).heard.all).toEqual([1]);
  });

  test('hear every message beside the handlers, those after a close, too', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    const socket = await hosted.get(Gateway).arrivals.at(0, 'connection accepted');
    const heard = new Tally<string>();
    socket.on('message', (data: Buffer) => heard.add(data.toString()));
    socket.addEventListener('message', ({ data }) => heard.add(`event ${data as string}`));
    client.emit('echo', 1);
    await heard.reached(2, 'message');
    await client.messages.reached(1, 'reply');
    expect(heard.all).toEqual(['{"event":"echo","data":1}', 'event {"event":"echo","data":1}']);
  });

  test('may reply, close and terminate by the socket itself', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    const socket = await hosted.get(Gateway).arrivals.at(0, 'connection accepted');
    socket.on('message', () => {
      socket.send('raw');
      socket.close(4000, 'raw');
    });
    client.emit('echo', 1);
    expect(await client.closed()).toEqual({ code: 4000, reason: 'raw' });
    expect(client.messages.all).toEqual(['raw']);
    expect(hosted.get(Gateway).heard.count).toBe(0);
  });

  test('that are all removed by the app leave the connection owned, and app.close() instant', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    const socket = await hosted.get(Gateway).arrivals.at(0, 'connection accepted');
    socket.removeAllListeners();
    client.emit('echo', 1);
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    const connection = hosted.service.connection(socket)!;
    const second = await WsClient.connect(hosted.url());
    const outcome = connection.close(4000);
    expect(await client.closed()).toMatchObject({ code: 4000 });
    expect(await outcome).toMatchObject({ handshake: 'clean' });
    expect(hosted.service.connections.size).toBe(1);
    (await hosted.get(Gateway).arrivals.at(1, 'connection accepted')).removeAllListeners();
    await within(hosted.app.close(), 'the app to close');
    await second.closed();
    await nextMacrotask();
    expect(hosted.service.connections.size).toBe(0);
  });
});

describe('Hooks of a gateway', () => {
  test('get what the stock adapter gives them', async () => {
    class Curious extends Echo {
      readonly requests: IncomingMessage[] = [];
      readonly instances = new Set<unknown>();
      afterInitCalls = 0;

      afterInit(): void {
        this.afterInitCalls++;
      }

      override handleConnection(client: WebSocket, ...rest: unknown[]): void {
        super.handleConnection(client);
        this.requests.push(rest[0] as IncomingMessage);
        this.instances.add(this);
      }

      override handleDisconnect(client: WebSocket): void {
        super.handleDisconnect(client);
        this.instances.add(this);
      }
    }
    const Gateway = gatewayOf(Curious);
    const hosted = await host({ providers: [Gateway] });
    const gateway = hosted.get(Gateway);
    const client = await WsClient.connect(hosted.url('/?a=1'));
    client.close();
    await gateway.departures.reached(1, 'handleDisconnect called');
    expect(gateway.afterInitCalls).toBe(1);
    expect(gateway.requests[0]?.url).toBe('/?a=1');
    expect(gateway.requests[0]?.headers['sec-websocket-version']).toBe('13');
    expect([...gateway.instances]).toEqual([gateway]);
    expect(gateway.departures.all).toEqual(gateway.arrivals.all);
  });

  test('that throw at once are told, and close with 1011 and no reason', async () => {
    class Failing extends Echo {
      override handleConnection(client: WebSocket): never {
        super.handleConnection(client);
        throw new Error('database password=hunter2');
      }
      override handleDisconnect(client: WebSocket): never {
        super.handleDisconnect(client);
        throw new Error('again');
      }
    }
    const Gateway = gatewayOf(Failing);
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    expect(await client.closed()).toEqual({ code: 1011, reason: '' });
    await hosted.get(Gateway).departures.reached(1, 'handleDisconnect called');
    await nextMacrotask();
    expect(hosted.service.report().races['hook-rejection']).toBe(2);
    const lines = hosted.logs.matching('warn', 'hook-rejection');
    expect(lines[0]?.text).toContain('handleConnection of FailingOfApp failed');
    expect(lines[0]?.text).toContain('ConnectionRejectedException');
    expect(lines[0]?.text).toContain('hunter2');
    expect(lines[1]?.text).toContain('handleDisconnect of FailingOfApp failed');
  });

  test('that reject with a code that can not be sent close with 1011, and are told', async () => {
    class Odd extends Echo {
      override handleConnection(): Promise<void> {
        return Promise.reject(new ConnectionRejectedException(999, 'odd'));
      }
    }
    const hosted = await host({ providers: [gatewayOf(Odd)] });
    const client = await WsClient.connect(hosted.url());
    expect(await client.closed()).toEqual({ code: 1011, reason: 'odd' });
    expect(hosted.service.report().races['invalid-close-arguments']).toBe(1);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'no'],
    ['an object', { code: 4401 }],
  ])('that reject with %s close with 1011', async (_name, thrown) => {
    class Odd extends Echo {
      override handleConnection(): Promise<void> {
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        return Promise.reject(thrown);
      }
    }
    const hosted = await host({ providers: [gatewayOf(Odd)] });
    const client = await WsClient.connect(hosted.url());
    expect(await client.closed()).toEqual({ code: 1011, reason: '' });
    expect(hosted.service.report().races['hook-rejection']).toBe(1);
  });

  test('that return a thenable of another kind, or something with a "then", are waited for', async () => {
    const gate = deferred();
    class Odd extends Echo {
      override handleConnection(client: WebSocket): unknown {
        super.handleConnection(client);
        return this.arrivals.count === 1
          ? { then: 'not a function' }
          : {
              then: (resolve: () => void) => void gate.promise.then(resolve),
            };
      }
    }
    const Gateway = gatewayOf(Odd);
    const hosted = await host({ providers: [Gateway] });
    const first = await WsClient.connect(hosted.url());
    first.emit('echo', 1);
    expect(await first.message(0)).toEqual({ event: 'echo', data: 1 });
    const second = await WsClient.connect(hosted.url());
    second.emit('echo', 2);
    const socket = await hosted.get(Gateway).arrivals.at(1, 'connection accepted');
    while (hosted.service.report().races['early-message'] === 0) {
      await nextMacrotask();
    }
    expect(hosted.service.connection(socket)!.state).toBe('connecting');
    gate.resolve();
    expect(await second.message(0)).toEqual({ event: 'echo', data: 2 });
  });

  test('with waitFor: "nothing" are not waited for, but their rejections still close', async () => {
    const gate = deferred<never>();
    class Living extends Echo {
      override handleConnection(client: WebSocket): Promise<void> {
        super.handleConnection(client);
        return gate.promise.then(() => {
          throw new ConnectionRejectedException(4000, 'over');
        });
      }
    }
    const hosted = await host({
      providers: [gatewayOf(Living)],
      safeClose: { connect: { waitFor: 'nothing' } },
    });
    const client = await WsClient.connect(hosted.url());
    client.emit('echo', 1);
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    gate.resolve(undefined as never);
    expect(await client.closed()).toEqual({ code: 4000, reason: 'over' });
  });
});

describe('Handlers of one event in one gateway', () => {
  test('An inherited handler, and one that is overridden, run once', async () => {
    class Base extends Echo {
      @SubscribeMessage('inherited')
      inherited(): unknown {
        return { event: 'inherited' };
      }
    }
    class Derived extends Base {
      @SubscribeMessage('echo')
      override echo(_client: WebSocket, data: unknown): unknown {
        return { event: 'derived', data };
      }
    }
    const hosted = await host({ providers: [gatewayOf(Derived)] });
    const client = await WsClient.connect(hosted.url());
    client.emit('inherited');
    client.emit('echo', 1);
    await client.messages.reached(2, 'reply');
    await nextMacrotask();
    expect(client.events).toEqual([{ event: 'inherited' }, { event: 'derived', data: 1 }]);
  });
});

test('A socket of ws in the app is of the same copy as the sockets of the gateways', async () => {
  const Gateway = gatewayOf(Echo);
  const hosted = await host({ providers: [Gateway] });
  await WsClient.connect(hosted.url());
  const socket = await hosted.get(Gateway).arrivals.at(0, 'connection accepted');
  expect(socket).toBeInstanceOf(WebSocket);
  expect(socket.readyState).toBe(WebSocket.OPEN);
});
