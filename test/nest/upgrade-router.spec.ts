import { describe, expect, test } from '@jest/globals';
import {
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql';
import { createClient } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { afterTest } from '../support/cleanup.js';
import { WsClient } from '../support/clients/ws.client.js';
import { within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host, type Hosted } from './hosting.js';

const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { hello: { type: GraphQLString } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: {
      count: {
        type: new GraphQLNonNull(GraphQLInt),
        subscribe: async function* count(): AsyncGenerator<{ count: number }> {
          for (const number of [1, 2, 3]) yield { count: number };
        },
      },
    },
  }),
});

/** Serves GraphQL subscriptions as @nestjs/graphql does, beside the gateways. */
function serveGraphql(httpServer: Server): void {
  const server = new WebSocketServer({ noServer: true });
  const disposable = useServer({ schema }, server);
  httpServer.on('upgrade', (request, socket: Duplex, head) => {
    if (!request.url?.startsWith('/graphql')) return;
    server.handleUpgrade(request, socket, head, (client) => {
      server.emit('connection', client, request);
    });
  });
  afterTest(() => disposable.dispose());
}

async function subscribe(url: string): Promise<unknown[]> {
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
  const results: unknown[] = [];
  await within(
    new Promise<void>((resolve, reject) => {
      client.subscribe(
        { query: 'subscription { count }' },
        {
          next: ({ data }) => results.push(data?.['count']),
          error: (error) => reject(error as Error),
          complete: resolve,
        },
      );
    }),
    'a subscription to end',
  );
  await client.dispose();
  return results;
}

async function echo(hosted: Hosted, path = '/'): Promise<WsClient> {
  const client = await WsClient.connect(hosted.url(path));
  client.emit('echo', path);
  expect(await client.message(0)).toEqual({ event: 'echo', data: path });
  return client;
}

describe('Other WebSocket servers on the same HTTP server', () => {
  test.each(['before', 'after'])(
    'GraphQL subscriptions set up %s the gateways work, and the gateways do, too',
    async (when) => {
      const hosted = await host({
        providers: [gatewayOf(Echo)],
        prepare: (app) => {
          if (when === 'before') serveGraphql(app.getHttpServer());
        },
      });
      if (when === 'after') serveGraphql(hosted.app.getHttpServer());
      const [, subscription] = await Promise.all([
        echo(hosted),
        subscribe(hosted.url('/graphql')),
        echo(hosted),
      ]);
      expect(subscription).toEqual([1, 2, 3]);
      expect(hosted.service.report().connections.opened).toBe(2);
    },
  );

  test('A connection that is not ours has no owner, and close() of the service knows it not', async () => {
    const hosted = await host({ providers: [gatewayOf(Echo)] });
    const server = new WebSocketServer({ noServer: true });
    const theirs = new Promise<WebSocket>((resolve) => {
      hosted.app.getHttpServer().on('upgrade', (request: never, socket: Duplex, head: Buffer) => {
        if ((request as { url: string }).url === '/theirs') {
          server.handleUpgrade(request, socket, head, resolve);
        }
      });
    });
    const client = await WsClient.connect(hosted.url('/theirs'));
    const socket = await theirs;
    expect(hosted.service.connection(socket)).toBeUndefined();
    expect(await hosted.service.close(socket)).toMatchObject({ handshake: 'lost', code: 1006 });
    socket.send('still open');
    expect(await client.messages.at(0, 'message')).toBe('still open');
    socket.terminate();
  });

  test('A refused upgrade leaves no socket open, though its client never ends its side', async () => {
    const hosted = await host({ providers: [gatewayOf(Echo, 0, { path: '/a' })] });
    const socket = connect({ port: hosted.port, host: '127.0.0.1', allowHalfOpen: true });
    afterTest(() => socket.destroy());
    socket.write(
      'GET /b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const chunks: string[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    await within(once(socket, 'end'), 'the end of the refused upgrade');
    expect(chunks.join('')).toMatch(/^HTTP\/1\.1 404 /);
    await within(hosted.app.close(), 'the app to close');
  });

  test('Our listener for upgrades goes with the app', async () => {
    const hosted = await host({ providers: [gatewayOf(Echo), gatewayOf(Echo, 0, { path: '/a' })] });
    const server = hosted.app.getHttpServer() as Server;
    expect(server.listenerCount('upgrade')).toBe(1);
    await hosted.app.close();
    expect(server.listenerCount('upgrade')).toBe(0);
  });
});
