import { expect } from '@jest/globals';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import { WebSocket, type Server } from 'ws';
import { startApp, type TestApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { stack } from '../../support/stack.js';
import { Reception } from '../../support/reception.js';
import { Tally } from '../../support/waiting.js';

const CLIENTS = 200;

@WebSocketGateway()
class Hall extends Reception {
  @WebSocketServer() readonly server!: Server;
  readonly left = new Tally<ReadonlySet<string> | undefined>();
  app: TestApp | undefined;

  handleDisconnect(client: WebSocket): void {
    this.left.add(this.app && stack !== 'stock' ? this.app.service.rooms(client) : undefined);
  }

  @SubscribeMessage('leave')
  leave(client: WebSocket, @MessageBody() code: number): void {
    client.close(code);
  }
}

async function fullHall(): Promise<{ app: TestApp; peers: RawPeer[]; sockets: WebSocket[] }> {
  const app = await startApp({ gateways: [Hall] });
  app.gateway(Hall).app = app;
  const peers: RawPeer[] = [];
  const sockets: WebSocket[] = [];
  for (let index = 0; index < CLIENTS; index++) {
    // oxlint-disable-next-line no-await-in-loop
    peers.push(await RawPeer.connect(app.url()));
    // oxlint-disable-next-line no-await-in-loop
    sockets.push(await app.gateway(Hall).socket(index));
  }
  return { app, peers, sockets };
}

race(
  'a broadcast that half of its clients leave in the same turn counts what each of them got',
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const { app, peers, sockets } = await fullHall();
    for (const socket of sockets) app.service.join(socket, 'hall');
    for (const peer of peers.slice(0, 50)) peer.reset();
    for (const socket of sockets.slice(50, 100)) socket.terminate();
    const outcome = await app.service.broadcast({ room: 'hall' }, 'news', 'of today');
    const refused = Object.values(outcome.refused).reduce((sum, count) => sum + count, 0);
    expect(outcome.written + refused + outcome.dropped + outcome.lost).toBe(outcome.targets);
    expect(outcome.targets).toBe(150);
    for (const peer of peers.slice(100)) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await peer.messages.at(0, 'news')).toBe('{"event":"news","data":"of today"}');
    }
    expect(outcome.written).toBeGreaterThanOrEqual(100);
  },
);

/** Sends to all, as each stack has it; returns how many the app has reason to think were sent to. */
async function sendToAll(app: TestApp, sockets: WebSocket[], data: unknown): Promise<number> {
  if (stack !== 'stock') {
    const outcome = await app.service.broadcast({ room: 'hall' }, 'news', data);
    const { targets, written, refused, dropped, lost } = outcome;
    const told = Object.values(refused).reduce((sum, count) => sum + count, 0);
    expect(written + told + dropped + lost).toBe(targets);
    expect(targets).toBe(CLIENTS);
    return written;
  }
  const targets = sockets.filter(({ readyState }) => readyState === WebSocket.OPEN);
  for (const socket of targets) socket.send(JSON.stringify({ event: 'news', data }));
  return targets.length;
}

race(
  'a broadcast in the middle of which half of its clients are let go tells exactly how many got it',
  { guarantee: 'G3', stock: 'fails' },
  async () => {
    const { app, peers, sockets } = await fullHall();
    if (stack !== 'stock') for (const socket of sockets) app.service.join(socket, 'hall');
    let gone = false;
    const data = {
      // The app's own code, which runs while the message is sent.
      toJSON: () => {
        if (!gone) {
          for (const socket of sockets.slice(0, 50)) socket.close(4000);
          for (const socket of sockets.slice(50, 100)) socket.terminate();
        }
        gone = true;
        return 'of today';
      },
    };
    const sent = await sendToAll(app, sockets, data);
    await Promise.all(peers.slice(0, 100).map((peer) => peer.ended()));
    await Promise.all(peers.slice(100).map((peer) => peer.messages.reached(1, 'news')));
    expect(peers.filter(({ messages }) => messages.count === 1)).toHaveLength(sent);
  },
);

race(
  'a message to all reaches everybody who stays, though others leave while it is sent',
  { guarantee: 'G3', stock: 'passes' },
  async () => {
    const { app, peers, sockets } = await fullHall();
    for (const socket of sockets.slice(0, 100)) socket.close(4000);
    if (stack !== 'stock') void app.service.broadcast({}, 'news', 1);
    else {
      for (const client of app.gateway(Hall).server.clients) {
        if (client.readyState === WebSocket.OPEN) client.send('{"event":"news","data":1}');
      }
    }
    for (const peer of peers.slice(100)) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await peer.messages.at(0, 'news')).toBe('{"event":"news","data":1}');
    }
    for (const peer of peers.slice(0, 100)) {
      // oxlint-disable-next-line no-await-in-loop
      await peer.ended();
      expect(peer.messages.count).toBe(0);
    }
  },
);

race(
  'rooms are left at the end, and handleDisconnect still knows which they were',
  { guarantee: 'G9', stock: 'untold' },
  async () => {
    const { app, peers, sockets } = await fullHall();
    for (const [index, socket] of sockets.entries())
      app.service.join(socket, 'hall', `seat ${index}`);
    expect((await app.service.broadcast({ room: 'seat 7' }, 'you')).targets).toBe(1);
    const summary = await app.service.closeWhere({ room: 'hall', except: sockets[7]! }, 4000);
    expect(summary).toMatchObject({ targets: CLIENTS - 1, clean: CLIENTS - 1 });
    await app.gateway(Hall).left.reached(CLIENTS - 1, 'handleDisconnect');
    const rooms = app.gateway(Hall).left.all.map((left) => [...(left ?? [])].join());
    expect(rooms).toContain('hall,seat 0');
    expect((await app.service.broadcast({ room: 'hall' }, 'who is left?')).targets).toBe(1);
    expect(await peers[7]!.messages.at(1, 'question')).toContain('who is left?');
  },
);
