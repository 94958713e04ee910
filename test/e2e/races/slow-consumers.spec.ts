import { expect } from '@jest/globals';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { Conflate, type UnacknowledgedMessage } from '../../../src/index.js';
import { startApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { nextMacrotask, Tally } from '../../support/waiting.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const MESSAGE = 'x'.repeat(64 * KIB);
/** More than the kernel takes for a reader that does not read. */
const MESSAGES = 256;

@WebSocketGateway()
class Feed extends Reception {
  readonly asked = new Tally();

  @Conflate((reply: { data: string }) => reply.data.slice(0, 1))
  @SubscribeMessage('price')
  price(@MessageBody() data: string): unknown {
    this.asked.add();
    return { event: 'price', data };
  }

  @SubscribeMessage('count')
  async *count(@MessageBody() upTo: number) {
    for (let data = 1; data <= upTo; data++) yield { event: 'count', data };
  }
}

race(
  'a reader that stops reading costs no more than the limit, and is closed with 1013',
  { guarantee: 'G11', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Feed], options: { close: { flushTimeout: 300 } } });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Feed).socket();
    peer.freeze();
    let most = 0;
    for (let message = 0; message < MESSAGES; message++) {
      socket.send(MESSAGE);
      most = Math.max(most, socket.bufferedAmount);
    }
    expect(most).toBeLessThanOrEqual(MIB + KIB);
    const outcome = await app.outcomeOf(socket);
    expect(outcome).toMatchObject({
      initiator: 'server',
      requests: [{ code: 1013, reason: 'slow consumer' }],
    });
    expect(outcome.lost).toBeGreaterThan(0);
    expect(app.met('slow-consumer')).toBe(1);
    expect(app.met('send-overflow')).toBeGreaterThan(0);
  },
);

race(
  'one slow reader has no effect on those who read',
  { guarantee: 'G11', stock: 'untold' },
  async () => {
    const app = await startApp({
      gateways: [Feed],
      options: { send: { overflow: 'refuse', maxTotalBuffered: MIB } },
    });
    const slow = await RawPeer.connect(app.url());
    const slowSocket = await app.gateway(Feed).socket(0);
    const quick = await RawPeer.connect(app.url());
    const quickSocket = await app.gateway(Feed).socket(1);
    slow.freeze();
    for (let message = 0; message < MESSAGES; message++) {
      slowSocket.send(MESSAGE);
      // oxlint-disable-next-line no-await-in-loop
      await nextMacrotask();
    }
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => app.service.emit(quickSocket, 'n', n)),
    );
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['written']));
    await quick.messages.reached(100, 'message read by the one who reads');
    expect(app.service.report().sends.refused).toBeGreaterThan(0);
  },
);

race(
  'of prices a reader that is behind gets the newest, each in its turn',
  { guarantee: 'G3', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Feed], options: { send: { maxBuffered: 64 * MIB } } });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Feed).socket();
    peer.freeze();
    for (let message = 0; message < MESSAGES; message++) socket.send(MESSAGE);
    const asks = 300;
    for (let n = 0; n < asks; n++) peer.emit('price', `${n % 3 === 0 ? 'a' : 'b'}${n}`);
    await app.gateway(Feed).asked.reached(asks, 'price asked for');
    peer.socket.resume();
    await peer.messages.reached(MESSAGES + 2, 'message');
    const prices = peer.messages.all.slice(MESSAGES);
    expect(prices).toEqual(['{"event":"price","data":"a297"}', '{"event":"price","data":"b299"}']);
  },
);

race(
  'the values of an async generator are replies, in their order',
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Feed] });
    const peer = await RawPeer.connect(app.url());
    peer.emit('count', 200);
    await peer.messages.reached(200, 'value');
    expect(peer.messages.all.map((text) => (JSON.parse(text) as { data: number }).data)).toEqual(
      Array.from({ length: 200 }, (_, index) => index + 1),
    );
  },
);

race(
  'what a client has not read when it vanishes is handed back, in order, and nothing else',
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const back = new Tally<readonly UnacknowledgedMessage[]>();
    const app = await startApp({
      gateways: [Feed],
      options: { send: { onUnacknowledged: (_connection, messages) => back.add(messages) } },
    });
    const peer = await RawPeer.connect(app.url());
    const socket: WebSocket = await app.gateway(Feed).socket();
    expect(await app.service.emit(socket, 'read', 1, { acknowledge: true })).toEqual({
      status: 'acknowledged',
    });
    peer.freeze();
    for (let n = 0; n < 10; n++) app.service.post(socket, 'unread', n);
    peer.reset();
    const messages = await back.at(0, 'list of messages handed back');
    expect(messages.map(({ data, binary }) => [data, binary])).toEqual(
      Array.from({ length: 10 }, (_, n) => [`{"event":"unread","data":${n}}`, false]),
    );
    await nextMacrotask();
    expect(back.count).toBe(1);
  },
);
