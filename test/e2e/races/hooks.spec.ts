import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { startApp } from '../../support/app.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { deferred, nextMacrotask, Tally, type Deferred } from '../../support/waiting.js';

function userOf(request: IncomingMessage): string {
  return new URL(request.url!, 'ws://localhost').searchParams.get('user') ?? '';
}

/** Who is online, as every chat keeps it: one line in each hook. */
@WebSocketGateway()
class Presence {
  readonly online = new Set<string>();
  readonly log = new Tally<string>();
  readonly sockets = new Tally<WebSocket>();
  readonly #users = new WeakMap<WebSocket, string>();
  /** What the hooks and handlers of the next connections wait for, such as a database. */
  arriving: Deferred<void> | undefined;
  handling: Deferred<void> | undefined;
  leaving: Deferred<void> | undefined;

  async handleConnection(client: WebSocket, request: IncomingMessage): Promise<void> {
    const user = userOf(request);
    this.#users.set(client, user);
    this.sockets.add(client);
    this.log.add(`C+ ${user}`);
    await this.arriving?.promise;
    this.online.add(user);
    this.log.add(`C- ${user}`);
  }

  async handleDisconnect(client: WebSocket): Promise<void> {
    const user = this.#users.get(client)!;
    this.log.add(`D+ ${user}`);
    await this.leaving?.promise;
    this.online.delete(user);
    this.log.add(`D- ${user}`);
  }

  @SubscribeMessage('work')
  async work(): Promise<void> {
    this.log.add('H+');
    await this.handling?.promise;
    this.log.add('H-');
  }
}

const identity = (_client: WebSocket, request: IncomingMessage): string => userOf(request);

race(
  'a user who comes back while the old handleDisconnect runs stays online',
  { guarantee: 'G9', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Presence], options: { identity } });
    const presence = app.gateway(Presence);
    for (let round = 0; round < 20; round++) {
      const url = app.url(`/?user=${round}`);
      const before = await WsClient.connect(url);
      await presence.log.reached(6 * round + 2, 'hook passed');
      const leaving = (presence.leaving = deferred());
      before.close();
      await presence.log.reached(6 * round + 3, 'handleDisconnect begun');
      await WsClient.connect(url);
      await nextMacrotask();
      leaving.resolve();
      await presence.log.reached(6 * round + 6, 'hook passed');
    }
    expect(presence.online.size).toBe(20);
    expect(presence.log.all.slice(0, 6)).toEqual(['C+ 0', 'C- 0', 'D+ 0', 'D- 0', 'C+ 0', 'C- 0']);
  },
);

race(
  'a user who leaves during an asynchronous handleConnection does not stay online',
  { guarantee: 'G9', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Presence] });
    const presence = app.gateway(Presence);
    for (let round = 0; round < 20; round++) {
      const arriving = (presence.arriving = deferred());
      const client = await WsClient.connect(app.url(`/?user=${round}`));
      const socket = await presence.sockets.at(round, 'connection accepted');
      const ended = new Promise((resolve) => void socket.once('close', resolve));
      client.close();
      await ended;
      await nextMacrotask();
      arriving.resolve();
      await presence.log.reached(4 * round + 4, 'hook passed');
    }
    expect([...presence.online]).toEqual([]);
    expect(presence.log.all.slice(0, 4)).toEqual(['C+ 0', 'C- 0', 'D+ 0', 'D- 0']);
  },
);

race(
  'handleDisconnect begins once the handlers in flight have ended',
  { guarantee: 'G9', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Presence] });
    const presence = app.gateway(Presence);
    presence.handling = deferred();
    const client = await WsClient.connect(app.url());
    client.emit('work');
    await presence.log.reached(3, 'handler begun');
    const socket = await presence.sockets.at(0, 'connection accepted');
    const ended = new Promise((resolve) => void socket.once('close', resolve));
    client.close();
    await ended;
    await nextMacrotask();
    presence.handling.resolve();
    await presence.log.reached(6, 'hook passed');
    expect(presence.log.all.slice(3)).toEqual(['H-', 'D+ ', 'D- ']);
  },
);
