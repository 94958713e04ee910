import { expect } from '@jest/globals';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { startApp } from '../../support/app.js';
import { frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally } from '../../support/waiting.js';

const MESSAGES = 20_000;
const IN_FLIGHT = 8;

@WebSocketGateway()
class Desk extends Reception {
  readonly handled = new Tally<number>();
  readonly gate = deferred();
  running = 0;
  most = 0;

  @SubscribeMessage('work')
  async work(@MessageBody() { n }: { n: number }): Promise<void> {
    this.running++;
    this.most = Math.max(this.most, this.running);
    if (n < IN_FLIGHT) await this.gate.promise;
    else await nextMacrotask();
    this.running--;
    this.handled.add(n);
  }
}

function work(from: number, to: number, padding = 0): Buffer {
  const data = 'x'.repeat(padding);
  return Buffer.concat(
    Array.from({ length: to - from }, (_, index) =>
      frame(Opcode.text, JSON.stringify({ event: 'work', data: { n: from + index, data } })),
    ),
  );
}

const LIMITS = { handlers: { maxInFlight: IN_FLIGHT, maxQueuedBytes: 64 * 1024 } };

race(
  'of a flood no more handlers run at once than may, and all of it is handled, in order',
  { guarantee: 'G11', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk], options: LIMITS });
    const desk = app.gateway(Desk);
    const peer = await RawPeer.connect(app.url());
    peer.send(work(0, MESSAGES));
    const socket = await desk.socket();
    const read = new Tally();
    socket.on('message', () => read.add());
    await read.reached(IN_FLIGHT + 1, 'message');
    desk.gate.resolve();
    await desk.handled.reached(MESSAGES, 'message handled');
    expect(desk.most).toBe(IN_FLIGHT);
    const inOrder = desk.handled.all.slice(IN_FLIGHT);
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    expect(app.met('handlers-saturated')).toBeGreaterThan(0);
  },
);

race(
  'a ping is answered while messages wait, as long as they fit',
  { guarantee: 'G11', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Desk], options: LIMITS });
    const peer = await RawPeer.connect(app.url());
    peer.send(work(0, 100), frame(Opcode.ping, 'there?'));
    const answers = async (): Promise<boolean> => {
      for (let index = 0; ; index++) {
        // oxlint-disable-next-line no-await-in-loop
        const { opcode, payload } = await peer.frames.at(index, 'frame');
        if (opcode === Opcode.pong) return payload.toString() === 'there?';
      }
    };
    expect(await answers()).toBe(true);
    app.gateway(Desk).gate.resolve();
  },
);

for (const [how, leave] of [
  ['resets its socket', (peer: RawPeer) => peer.reset()],
  ['is gone', (peer: RawPeer) => peer.socket.destroy()],
] as const) {
  race(
    `a peer that ${how} while its socket is paused is noticed, whatever it has sent before`,
    { guarantee: 'G11', stock: 'passes' },
    async () => {
      const app = await startApp({ gateways: [Desk], options: LIMITS });
      const desk = app.gateway(Desk);
      const peer = await RawPeer.connect(app.url());
      const socket = await desk.socket();
      const ended = new Tally();
      socket.on('close', () => ended.add());
      peer.send(work(0, 4_000, 1_000));
      const read = new Tally();
      socket.on('message', () => read.add());
      await read.reached(60, 'message');
      await nextMacrotask();
      leave(peer);
      await ended.reached(1, 'end of the socket');
      desk.gate.resolve();
    },
  );
}
