import { expect } from '@jest/globals';
import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { startApp } from '../../support/app.js';
import { afterTest } from '../../support/cleanup.js';
import { frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally, within } from '../../support/waiting.js';

@WebSocketGateway()
class Office extends Reception {
  readonly started = new Tally();
  readonly gate = deferred();
  readonly departures = new Tally<'begun' | 'ended'>();

  async handleDisconnect(): Promise<void> {
    this.departures.add('begun');
    await nextMacrotask();
    await nextMacrotask();
    this.departures.add('ended');
  }

  @SubscribeMessage('work')
  async work(_client: WebSocket, data: unknown): Promise<unknown> {
    this.started.add();
    await this.gate.promise;
    return { event: 'worked', data };
  }
}

/** A database, as every app has one. */
class Pool implements OnModuleDestroy {
  readonly log: string[] = [];
  readonly ending = deferred();
  readonly mayEnd = deferred();

  async onModuleDestroy(): Promise<void> {
    this.log.push('pool ends');
    this.ending.resolve();
    await this.mayEnd.promise;
  }
}

race(
  'what runs when the app closes is answered, and its clients are told to leave',
  { guarantee: 'G10', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Office] });
    const office = app.gateway(Office);
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => WsClient.connect(app.url())),
    );
    for (const client of clients) for (let n = 0; n < 10; n++) client.emit('work', n);
    await office.started.reached(100, 'handler started');
    const closed = app.nest.close();
    await nextMacrotask();
    office.gate.resolve();
    for (const client of clients) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await client.closed()).code).toBe(1001);
      expect(client.dataOf('worked')).toHaveLength(10);
    }
    await within(closed, 'the end of the app');
    expect(office.departures.all.filter((step) => step === 'ended')).toHaveLength(10);
  },
);

race(
  'handlers and hooks have ended before another module lets go of its database',
  { guarantee: 'G10', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Office], providers: [Pool] });
    const [office, pool] = [app.gateway(Office), app.gateway(Pool)];
    pool.mayEnd.resolve();
    const client = await WsClient.connect(app.url());
    client.emit('work');
    await office.started.reached(1, 'handler started');
    void office.gate.promise.then(() => pool.log.push('handler ends'));
    void office.departures.at(1, 'handleDisconnect').then(() => pool.log.push('hook ends'));
    const closed = app.nest.close();
    await nextMacrotask();
    office.gate.resolve();
    await within(closed, 'the end of the app');
    expect(pool.log).toEqual(['handler ends', 'hook ends', 'pool ends']);
  },
);

race(
  'a client that has frozen does not keep the app from its end, and the others hear of it',
  { guarantee: 'G10', stock: 'fails' },
  async () => {
    const options = { shutdown: { timeout: 500 } };
    const app = await startApp({ gateways: [Office], options });
    const frozen = await RawPeer.connect(app.url());
    frozen.freeze();
    const client = await WsClient.connect(app.url());
    const closed = app.nest.close();
    expect((await client.closed()).code).toBe(1001);
    await within(closed, 'the end of the app');
  },
);

/** What becomes of an upgrade. */
async function upgrade(url: string): Promise<{ status: number; retryAfter?: string | undefined }> {
  const socket = new WebSocket(url);
  afterTest(() => socket.terminate());
  socket.on('error', () => {});
  const refused = once(socket, 'unexpected-response') as Promise<[unknown, IncomingMessage]>;
  const opened = once(socket, 'open').then(() => undefined);
  const answer = await within(Promise.race([refused, opened]), 'an answer to the upgrade');
  if (!answer) return { status: 101 };
  const [, { statusCode = 0, headers }] = answer;
  return { status: statusCode, retryAfter: headers['retry-after'] };
}

race('nobody is let in while the app ends', { guarantee: 'G10', stock: 'fails' }, async () => {
  const app = await startApp({ gateways: [Office], providers: [Pool] });
  const pool = app.gateway(Pool);
  afterTest(() => pool.mayEnd.resolve());
  void app.nest.close();
  await within(pool.ending.promise, 'the shutdown hooks');
  expect(await upgrade(app.url())).toEqual({ status: 503, retryAfter: '5' });
  pool.mayEnd.resolve();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

/** Answered by ws's own server with 426: what came to it before has been read by then. */
async function knock(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume().on('end', resolve);
    }).on('error', reject);
  });
}

const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');

race(
  'no handler of a gateway on its own port runs before the app is up',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const port = await freePort();
    const log = new Tally<string>();
    let early: Socket | undefined;

    class Annex {
      @SubscribeMessage('hello')
      hello(): void {
        log.add('handled');
      }
    }
    WebSocketGateway(port)(Annex);

    class Cache implements OnApplicationBootstrap {
      async onApplicationBootstrap(): Promise<void> {
        early = connect(port, '127.0.0.1');
        await once(early, 'connect');
        early.write(UPGRADE);
        early.write(frame(Opcode.text, '{"event":"hello"}'));
        await knock(port);
        await knock(port);
        await nextMacrotask();
        log.add('up');
      }
    }

    await startApp({ gateways: [Annex], providers: [Cache] });
    afterTest(() => early?.destroy());
    await log.reached(2, 'step');
    expect(log.all).toEqual(['up', 'handled']);
  },
);
