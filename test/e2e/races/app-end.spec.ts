import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import type { OnGatewayDrain } from '../../../src/index.js';
import { startApp } from '../../support/app.js';
import type { Client } from '../../support/clients/client.js';
import { CLIENTS } from '../../support/clients/connect.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { deferred, nextMacrotask, Tally, within } from '../../support/waiting.js';

const CROWD = 100;
const GOING_AWAY = { code: 1001, reason: 'server is shutting down' };

/** Its handlers and hooks wait for a database that has not answered yet. */
@WebSocketGateway()
class Desk {
  readonly log = new Tally<string>();
  readonly begun = new Tally();
  readonly leaving = new Tally();
  readonly handling = deferred();
  readonly left = deferred();

  @SubscribeMessage('work')
  async work(_client: WebSocket, id: number): Promise<unknown> {
    this.begun.add();
    await this.handling.promise;
    this.log.add('handled');
    return { event: 'worked', data: id };
  }

  async handleDisconnect(): Promise<void> {
    this.leaving.add();
    await this.left.promise;
    this.log.add('left');
  }
}

@Injectable()
class Database implements OnModuleDestroy {
  constructor(@Inject(Desk) private readonly desk: Desk) {}

  onModuleDestroy(): void {
    this.desk.log.add('database gone');
  }
}

async function crowd(connect: (url: string) => Promise<Client>, url: string): Promise<Client[]> {
  return await Promise.all(Array.from({ length: CROWD }, () => connect(url)));
}

for (const { name, connect } of CLIENTS) {
  race(
    `handlers in flight as the app ends answer ${name}, which then sees 1001`,
    { guarantee: 'G10', stock: 'fails' },
    async () => {
      const app = await startApp({ gateways: [Desk] });
      const desk = app.gateway(Desk);
      desk.left.resolve();
      const idle = await WsClient.connect(app.url());
      const clients = await crowd(connect, app.url());
      for (const [id, client] of clients.entries()) client.emit('work', id);
      await desk.begun.reached(CROWD, 'handler begun');
      const closed = app.nest.close();
      // By then the stock stack has cut all of them off.
      await idle.closed();
      desk.handling.resolve();
      const ends = await Promise.all(clients.map((client) => client.closed()));
      const seen = ends.map(({ code, reason }) => ({ code, reason }));
      expect(seen).toEqual(clients.map(() => GOING_AWAY));
      const answers = clients.map((client) => client.events);
      expect(answers).toEqual(clients.map((_, id) => [{ event: 'worked', data: id }]));
      await within(closed, 'the end of the app');
    },
  );
}

race(
  'as the app ends, every handler and handleDisconnect ends before what other modules destroy',
  { guarantee: 'G10', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk], providers: [Database] });
    const desk = app.gateway(Desk);
    const clients = await crowd((url) => WsClient.connect(url), app.url());
    for (const client of clients) client.emit('work');
    await desk.begun.reached(CROWD, 'handler begun');
    const closed = app.nest.close();
    desk.handling.resolve();
    await desk.leaving.reached(CROWD, 'handleDisconnect begun');
    // Time enough for an end that would not wait for them.
    for (let turn = 0; turn < 10; turn++) {
      // oxlint-disable-next-line no-await-in-loop
      await nextMacrotask();
    }
    desk.left.resolve();
    await within(closed, 'the end of the app');
    const each = (what: string): string[] => clients.map(() => what);
    expect(desk.log.all).toEqual([...each('handled'), ...each('left'), 'database gone']);
  },
);

race(
  'a client is sent a close frame with 1001 as the app ends, and the close is clean',
  { guarantee: 'G10', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    app.gateway(Desk).left.resolve();
    const peer = await RawPeer.connect(app.url());
    await within(app.nest.close(), 'the end of the app');
    expect(await peer.closed()).toEqual(GOING_AWAY);
    expect(await app.service.drain()).toMatchObject({ connections: 1, clean: 1, terminated: 0 });
  },
);

race(
  'peers that have frozen hold up neither the end of the app nor the goodbye of the others',
  { guarantee: 'G10', stock: 'fails' },
  async () => {
    // Nothing but the deadline of the shutdown ends in time.
    const never = { flushTimeout: 60_000, handshakeTimeout: 60_000, maxTimeout: 120_000 };
    const options = { close: never, shutdown: { timeout: 1_000 } };
    const app = await startApp({ gateways: [Desk], options });
    app.gateway(Desk).left.resolve();
    const frozen = [await RawPeer.connect(app.url()), await RawPeer.connect(app.url())];
    for (const peer of frozen) peer.freeze();
    const client = await WsClient.connect(app.url());
    await within(app.nest.close(), 'the end of the app');
    expect(await client.closed()).toEqual(GOING_AWAY);
    expect(await app.service.drain()).toMatchObject({
      connections: 3,
      clean: 1,
      terminated: 2,
      hooksAwaited: 3,
      deadlineHit: true,
    });
  },
);

@WebSocketGateway()
class Farewell implements OnGatewayDrain {
  async handleDrain(client: WebSocket): Promise<void> {
    await nextMacrotask();
    client.send('come back soon');
  }
}

race(
  'the goodbye of handleDrain arrives before the close frame',
  { guarantee: 'G10', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Farewell] });
    const client = await WsClient.connect(app.url());
    await within(app.nest.close(), 'the end of the app');
    expect(await client.closed()).toEqual(GOING_AWAY);
    expect(client.messages.all).toEqual(['come back soon']);
  },
);
