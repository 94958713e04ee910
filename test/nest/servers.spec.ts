import { describe, expect, test } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketServer } from '@nestjs/websockets';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket, type Server } from 'ws';
import { WsClient } from '../support/clients/ws.client.js';
import { deferred, nextMacrotask, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { freePort, host, type Setup } from './hosting.js';

const platforms: { name: string; create?: NonNullable<Setup['create']> }[] = [
  { name: 'Express' },
  {
    name: 'Fastify',
    create: (root, logger) =>
      NestFactory.create(root, new FastifyAdapter(), { logger, abortOnError: false }),
  },
];

/** With what HTTP status an upgrade is refused. */
async function refusalOf(url: string): Promise<number> {
  const socket = new WebSocket(url);
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    socket.once('unexpected-response', (_request, answer) => resolve(answer));
    socket.once('open', () => reject(new Error('The upgrade was accepted.')));
    socket.on('error', reject);
  });
  const { statusCode } = await within(response, 'the refusal of an upgrade');
  socket.terminate();
  return statusCode!;
}

async function roundTrip(url: string, data: unknown = 1): Promise<WsClient> {
  const client = await WsClient.connect(url);
  client.emit('echo', data);
  expect(await client.message(0)).toEqual({ event: 'echo', data });
  return client;
}

describe.each(platforms)('On $name', ({ create }) => {
  const on = create ? { create } : {};

  test('A gateway on the HTTP port has owned connections', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ providers: [Gateway], ...on });
    const client = await roundTrip(hosted.url('/?token=1'));
    const [connection] = [...hosted.service.connections];
    expect(connection).toMatchObject({
      state: 'open',
      request: { url: '/?token=1', ip: '127.0.0.1', headers: { upgrade: 'websocket' } },
    });
    await connection!.close(4000, 'bye');
    expect(await client.closed()).toEqual({ code: 4000, reason: 'bye' });
  });

  test('A gateway on a port of its own has owned connections', async () => {
    const port = await freePort();
    const Gateway = gatewayOf(Echo, port);
    const hosted = await host({ providers: [Gateway], ...on });
    const client = await roundTrip(hosted.url('/', port));
    const [connection] = [...hosted.service.connections];
    await connection!.close(4000, 'bye');
    expect(await client.closed()).toEqual({ code: 4000, reason: 'bye' });
  });

  test('Gateways share a port of their own by their paths', async () => {
    const port = await freePort();
    const A = gatewayOf(Echo, port, { path: '/a' });
    const B = gatewayOf(Echo, port, { path: '/b' });
    const hosted = await host({ providers: [A, B], ...on });
    await roundTrip(hosted.url('/a', port), 'a');
    await roundTrip(hosted.url('/b?x', port), 'b');
    expect(hosted.get(A).heard.all).toEqual(['a']);
    expect(hosted.get(B).heard.all).toEqual(['b']);
    expect(await refusalOf(hosted.url('/c', port))).toBe(404);
    expect(hosted.service.connections.size).toBe(2);
  });

  test('Gateways share the HTTP port by their paths', async () => {
    const A = gatewayOf(Echo, 0, { path: '/a' });
    const B = gatewayOf(Echo, 0, { path: 'b' });
    const hosted = await host({ providers: [A, B], ...on });
    await roundTrip(hosted.url('/a'), 'a');
    await roundTrip(hosted.url('/b'), 'b');
    expect(hosted.get(A).heard.all).toEqual(['a']);
    expect(hosted.get(B).heard.all).toEqual(['b']);
  });

  test('An upgrade to a path of nobody gets 404, and the server serves on', async () => {
    const hosted = await host({ providers: [gatewayOf(Echo, 0, { path: '/a' })], ...on });
    expect(await refusalOf(hosted.url('/b'))).toBe(404);
    expect(await refusalOf(hosted.url('//['))).toBe(404);
    await roundTrip(hosted.url('/a'));
  });

  test('The app closes at once, and leaves nothing open', async () => {
    const port = await freePort();
    const hosted = await host({ providers: [gatewayOf(Echo), gatewayOf(Echo, port)], ...on });
    const clients = await Promise.all([
      roundTrip(hosted.url()),
      roundTrip(hosted.url('/', port)),
      roundTrip(hosted.url()),
    ]);
    await within(hosted.app.close(), 'the app to close');
    await nextMacrotask();
    expect(hosted.service.connections.size).toBe(0);
    expect(hosted.service.report().connections).toEqual({ opened: 3, open: 0, closed: 3 });
    await Promise.all(clients.map((client) => client.closed()));
    const [error] = await once(new WebSocket(hosted.url('/', port)), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('Several gateways on one server and path', () => {
  test('All handlers of an event get the message, each gateway its hooks once', async () => {
    const A = gatewayOf(Echo);
    const B = gatewayOf(Echo);
    const hosted = await host({ providers: [A, B] });
    const client = await WsClient.connect(hosted.url());
    client.emit('echo', 1);
    await client.messages.reached(2, 'reply');
    client.close();
    for (const gateway of [hosted.get(A), hosted.get(B)]) {
      await gateway.departures.reached(1, 'handleDisconnect called');
      expect(gateway.heard.all).toEqual([1]);
      expect(gateway.arrivals.count).toBe(1);
      expect(gateway.departures.count).toBe(1);
    }
    expect(hosted.service.report().connections.opened).toBe(1);
    expect(hosted.service.report().races['unknown-event']).toBe(0);
  });

  test('No handler runs before handleConnection of every gateway has settled', async () => {
    const gates = [deferred(), deferred()];
    class Slow extends Echo {
      static count = 0;
      readonly #gate = gates[Slow.count++]!;
      override async handleConnection(client: WebSocket): Promise<void> {
        super.handleConnection(client);
        await this.#gate.promise;
      }
    }
    const A = gatewayOf(Slow);
    const B = gatewayOf(Slow);
    const C = gatewayOf(Echo);
    const hosted = await host({ providers: [A, B, C] });
    const client = await WsClient.connect(hosted.url());
    const socket = await hosted.get(C).arrivals.at(0, 'connection accepted');
    const read = new Tally();
    socket.on('message', () => read.add());
    client.emit('echo', 1);
    await read.reached(1, 'message read by the server');
    const connection = hosted.service.connection(socket)!;
    expect(connection.state).toBe('connecting');
    gates[1]!.resolve();
    await nextMacrotask();
    expect(connection.state).toBe('connecting');
    expect(hosted.get(C).heard.count).toBe(0);
    gates[0]!.resolve();
    await client.messages.reached(3, 'reply');
    expect(connection.state).toBe('open');
  });

  test('A gateway without handleConnection waits for the others, too', async () => {
    const gate = deferred();
    class Gatekeeper {
      handleConnection(): Promise<void> {
        return gate.promise;
      }
    }
    class Plain {
      readonly heard = new Tally<unknown>();

      @SubscribeMessage('echo')
      echo(_client: WebSocket, data: unknown): unknown {
        this.heard.add(data);
        return { event: 'echo', data };
      }
    }
    const A = gatewayOf(Plain);
    const hosted = await host({ providers: [A, gatewayOf(Gatekeeper)] });
    const client = await WsClient.connect(hosted.url());
    client.emit('echo', 1);
    const [connection] = [...hosted.service.connections];
    while (hosted.service.report().races['early-message'] === 0) await nextMacrotask();
    expect(connection!.state).toBe('connecting');
    expect(hosted.get(A).heard.count).toBe(0);
    gate.resolve();
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
  });
});

describe('Options of a gateway', () => {
  test('A WebSocket class of the app is what its sockets are made of', async () => {
    class Shouting extends WebSocket {
      readonly loud = true;
      override send(data: unknown, ...rest: never[]): void {
        super.send(String(data).toUpperCase(), ...rest);
      }
    }
    const Gateway = gatewayOf(Echo, 0, { WebSocket: Shouting });
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    const socket = (await hosted.get(Gateway).arrivals.at(0, 'connection accepted')) as Shouting;
    expect(socket).toBeInstanceOf(Shouting);
    expect(socket.loud).toBe(true);
    client.emit('echo', 'a');
    expect(await client.messages.at(0, 'reply')).toBe('{"EVENT":"ECHO","DATA":"A"}');
    await hosted.service.close(socket, 4000);
    expect(await client.closed()).toMatchObject({ code: 4000 });
  });

  test('What a close() of its own sends goes before the close frame', async () => {
    const pinged = deferred();
    class Polite extends WebSocket {
      override close(code?: number, reason?: string | Buffer): void {
        super.ping('bye', false, () => pinged.resolve());
        super.close(code, reason);
      }
    }
    const Gateway = gatewayOf(Echo, 0, { WebSocket: Polite });
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    const pings: string[] = [];
    client.socket.on('ping', (payload: Buffer) => pings.push(payload.toString()));
    const socket = await hosted.get(Gateway).arrivals.at(0, 'connection accepted');
    await hosted.service.close(socket, 4000);
    expect(await client.closed()).toMatchObject({ code: 4000 });
    expect(pings.at(-1)).toBe('bye');
    await within(pinged.promise, 'the callback of the ping');
  });

  test('Options of ws are handed on', async () => {
    const Gateway = gatewayOf(Echo, 0, {
      handleProtocols: () => 'v2',
      perMessageDeflate: { threshold: 0 },
      clientTracking: true,
      verifyClient: ({ req }: { req: IncomingMessage }) => req.url !== '/?forbidden',
    });
    const hosted = await host({ providers: [Gateway] });
    const socket = new WebSocket(hosted.url(), ['v1', 'v2']);
    await new Promise((resolve) => void socket.once('open', resolve));
    expect(socket.protocol).toBe('v2');
    expect(socket.extensions).toBe('permessage-deflate');
    socket.terminate();
    expect(await refusalOf(hosted.url('/?forbidden'))).toBe(401);
  });

  test('@WebSocketServer() is the server with its clients', async () => {
    class Keeper extends Echo {
      @WebSocketServer()
      readonly server!: Server;
    }
    const Gateway = gatewayOf(Keeper);
    const hosted = await host({ providers: [Gateway] });
    await roundTrip(hosted.url());
    const gateway = hosted.get(Gateway);
    expect([...gateway.server.clients]).toEqual(gateway.arrivals.all);
    expect(gateway.arrivals.all[0]).toBeInstanceOf(WebSocket);
  });

  test('The longest time-outs that may be set are none that Node would fire at once', async () => {
    class Keeper extends Echo {
      @WebSocketServer()
      readonly server!: Server & { readonly options: { readonly closeTimeout: number } };
    }
    const Gateway = gatewayOf(Keeper);
    const hosted = await host({
      providers: [Gateway],
      safeClose: {
        connect: { timeout: 2 ** 31 - 1 },
        close: { maxTimeout: 2 ** 31 - 1, handshakeTimeout: 2 ** 30, flushTimeout: 2 ** 29 },
      },
    });
    expect(hosted.get(Gateway).server.options.closeTimeout).toBe(2 ** 31 - 1);
    const client = await WsClient.connect(hosted.url());
    const [connection] = [...hosted.service.connections];
    client.socket.pause();
    const outcome = connection!.close(4000);
    for (let turn = 0; turn < 20; turn++) await nextMacrotask();
    expect(connection!.state).toBe('closing');
    client.socket.resume();
    expect(await outcome).toMatchObject({ handshake: 'clean', code: 4000 });
  });

  test('A namespace is refused as by WsAdapter', async () => {
    await expect(host({ providers: [gatewayOf(Echo, 0, { namespace: 'chat' })] })).rejects.toThrow(
      'does not support namespaces',
    );
  });
});

test('With one WsAdapter made for another HTTP server, gateways are reached there', async () => {
  const other = await host({ safeClose: false, prepare: () => {} });
  const Gateway = gatewayOf(Echo);
  const hosted = await host({
    providers: [Gateway],
    prepare: (app) => app.useWebSocketAdapter(new WsAdapter(other.app.getHttpServer())),
  });
  await roundTrip(other.url());
  expect(hosted.service.connections.size).toBe(1);
  await within(hosted.app.close(), 'the app to close');
  expect(other.app.getHttpServer().listenerCount('upgrade')).toBe(0);
});
