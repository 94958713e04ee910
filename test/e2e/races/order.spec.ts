import { expect } from '@jest/globals';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { Concurrent, Serial } from '../../../src/index.js';
import { startApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally } from '../../support/waiting.js';

const ROUNDS = 100;
const INCREMENTS = 200;

async function turns(count: number): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop
  for (let turn = 0; turn < count; turn++) await nextMacrotask();
}

@Serial()
@WebSocketGateway()
class Ledger extends Reception {
  readonly started = new Tally<string>();
  readonly gate = deferred();
  balance = 0;

  @SubscribeMessage('work')
  async work(@MessageBody() data: { n: number; turns: number }): Promise<unknown> {
    await turns(data.turns);
    return { event: 'done', data: data.n };
  }

  /** Reads, awaits, writes. */
  @SubscribeMessage('add')
  async add(): Promise<unknown> {
    const { balance } = this;
    await nextMacrotask();
    this.balance = balance + 1;
    return { event: 'balance', data: this.balance };
  }

  @SubscribeMessage('generate')
  async generate(): Promise<unknown> {
    this.started.add('generate');
    await this.gate.promise;
    return { event: 'generated' };
  }

  @Concurrent()
  @SubscribeMessage('cancel')
  cancel(): unknown {
    this.started.add('cancel');
    this.gate.resolve();
    return { event: 'cancelled' };
  }

  @SubscribeMessage('wait')
  async wait(_client: WebSocket): Promise<void> {
    this.started.add('wait');
    await this.gate.promise;
  }
}

function numbersOf(peer: RawPeer): number[] {
  return peer.messages.all.map((text) => (JSON.parse(text) as { data: number }).data);
}

race(
  `replies of serial handlers leave in the order of their requests, in ${ROUNDS} rounds of ten`,
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Ledger] });
    const peer = await RawPeer.connect(app.url());
    for (let round = 0; round < ROUNDS; round++) {
      for (let n = 0; n < 10; n++) peer.emit('work', { n: round * 10 + n, turns: 10 - n });
    }
    await peer.messages.reached(ROUNDS * 10, 'reply');
    expect(numbersOf(peer)).toEqual(Array.from({ length: ROUNDS * 10 }, (_, index) => index));
  },
);

race(
  `${INCREMENTS} handlers that read, await and write lose none of what they write`,
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Ledger] });
    const peer = await RawPeer.connect(app.url());
    for (let n = 0; n < INCREMENTS; n++) peer.emit('add');
    await peer.messages.reached(INCREMENTS, 'balance');
    expect(app.gateway(Ledger).balance).toBe(INCREMENTS);
  },
);

race(
  'a concurrent handler runs beside a serial one that is under way',
  { guarantee: 'G2', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Ledger] });
    const peer = await RawPeer.connect(app.url());
    peer.emit('generate');
    await app.gateway(Ledger).started.reached(1, 'handler');
    peer.emit('cancel');
    await peer.messages.reached(2, 'reply');
    expect(app.gateway(Ledger).started.all).toEqual(['generate', 'cancel']);
  },
);

race(
  'a connection whose serial handler is slow slows no other',
  { guarantee: 'G2', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Ledger] });
    const slow = await RawPeer.connect(app.url());
    const quick = await RawPeer.connect(app.url());
    for (let n = 0; n < 10; n++) slow.emit('wait');
    await app.gateway(Ledger).started.reached(1, 'handler');
    for (let n = 0; n < 10; n++) quick.emit('work', { n, turns: 1 });
    await quick.messages.reached(10, 'reply');
    app.gateway(Ledger).gate.resolve();
  },
);

race(
  'messages that wait for their turn start no handler once closing has begun',
  { guarantee: 'G8', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Ledger] });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Ledger).socket();
    const read = new Tally();
    socket.on('message', () => read.add());
    for (let n = 0; n < 10; n++) peer.emit('wait');
    await read.reached(10, 'message');
    socket.close(4000);
    app.gateway(Ledger).gate.resolve();
    await peer.ended();
    expect(app.gateway(Ledger).started.count).toBe(1);
    expect(app.met('message-after-close')).toBe(9);
  },
);
