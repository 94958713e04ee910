import { Inject, Injectable, type OnApplicationBootstrap, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { WebSocketServer as GatewayServer } from '@nestjs/websockets';
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocket, type WebSocketServer } from 'ws';
import { SafeCloseService, type SafeCloseOptions } from '../../src/index.js';
import { afterTest } from '../support/cleanup.js';
import { deferred, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { freePort, host, type Hosted } from './hosting.js';

/** An echoing gateway that also tells of every upgrade that reaches its server. */
class Watched extends Echo {
  readonly asked = new Tally<IncomingMessage>();
  @GatewayServer() readonly server!: WebSocketServer;

  afterInit(server: WebSocketServer): void {
    const handleUpgrade = server.handleUpgrade.bind(server);
    server.handleUpgrade = (request, ...rest) => {
      handleUpgrade(request, ...rest);
      this.asked.add(request);
    };
  }
}

export const PLACES = [
  { place: 'the HTTP port', own: false, path: '/' },
  { place: 'a path of the HTTP port', own: false, path: '/a' },
  { place: 'a port of its own', own: true, path: '/' },
  { place: 'a path of a port of its own', own: true, path: '/a' },
];

export interface Place {
  readonly own: boolean;
  readonly path: string;
}

export interface Served extends Hosted {
  readonly gateway: Watched;
  readonly at: string;
}

/** Boots an app with one gateway, at a place of its server or a port of its own. */
export async function serve(
  { own, path }: Place,
  safeClose: SafeCloseOptions = {},
  ofWs: Record<string, unknown> = {},
): Promise<Served> {
  const port = own ? await freePort() : 0;
  const options = { ...ofWs, ...(path !== '/' && { path }) };
  const Gateway = gatewayOf(Watched, port, options);
  const hosted = await host({ providers: [Gateway], safeClose });
  const at = hosted.url(path, port || undefined);
  return Object.assign(hosted, { gateway: hosted.get(Gateway), at });
}

export const SHARED: Place = { own: false, path: '/' };

interface Starting {
  readonly at: string;
  readonly gateway: Watched;
  readonly service: SafeCloseService;
  /** Lets the bootstrap end. */
  readonly up: () => Promise<Hosted>;
}

/** Boots an app that stays in its bootstrap; clients of a port of its own can come meanwhile. */
export async function starting(path: string, safeClose: SafeCloseOptions = {}): Promise<Starting> {
  const begun = deferred<[Watched, SafeCloseService]>();
  const over = deferred();
  const port = await freePort();
  const Gateway = gatewayOf(Watched, port, path === '/' ? {} : { path });
  @Injectable()
  class SlowStart implements OnApplicationBootstrap {
    constructor(@Inject(ModuleRef) private readonly modules: ModuleRef) {}

    async onApplicationBootstrap(): Promise<void> {
      const get = <T>(type: Type<T>): T => this.modules.get(type, { strict: false });
      begun.resolve([get(Gateway), get(SafeCloseService)]);
      await over.promise;
    }
  }
  const hosting = host({ providers: [Gateway, SlowStart], safeClose });
  const up = (): Promise<Hosted> => {
    over.resolve();
    return hosting;
  };
  afterTest(up);
  const [gateway, service] = await within(begun.promise, 'the start of the app');
  return { at: `ws://127.0.0.1:${port}${path}`, gateway, service, up };
}

export async function gone(socket: Socket): Promise<void> {
  if (!socket.closed) await within(once(socket, 'close'), 'the end of a socket');
}

/** Sends an upgrade request, and never ends its side of the socket. */
export function stubborn(url: string): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  afterTest(() => socket.destroy());
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  let read = '';
  socket.on('data', (chunk: Buffer) => {
    read += chunk.toString();
  });
  return within(
    once(socket, 'end').then(() => read),
    'the end of a refused upgrade',
  );
}

export interface Answer {
  /** 101 where the upgrade was accepted. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Knock {
  readonly socket: WebSocket;
  readonly answer: Promise<Answer>;
}

/** Asks for an upgrade, and says what the server answered. */
export function knock(url: string, headers: Record<string, string> = {}): Knock {
  const socket = new WebSocket(url, { headers });
  afterTest(() => socket.terminate());
  const answered = new Promise<Answer>((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      const { statusCode, headers: got } = response;
      const answerOf = (body: string): Answer => ({ status: statusCode!, headers: got, body });
      text(response).then(answerOf).then(resolve, reject);
    });
    socket.on('upgrade', ({ headers: got }: IncomingMessage) => {
      resolve({ status: 101, headers: got, body: '' });
    });
    socket.on('error', reject);
  });
  const answer = within(answered, `the answer to an upgrade of ${url}`);
  // A test that lets a client leave has no interest in its answer.
  answer.catch(() => {});
  return { socket, answer };
}

export async function statusOf(url: string, headers?: Record<string, string>): Promise<number> {
  const { status } = await knock(url, headers).answer;
  return status;
}
