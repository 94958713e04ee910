import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { startApp, type TestApp } from '../../support/app.js';
import { closeFrame, frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally } from '../../support/waiting.js';

@WebSocketGateway()
class Desk extends Reception {
  readonly handled = new Tally<unknown>();
  readonly gate = deferred();

  @SubscribeMessage('do')
  handle(_client: WebSocket, data: unknown): unknown {
    this.handled.add(data);
    return { event: 'did', data };
  }

  @SubscribeMessage('wait')
  async wait(): Promise<unknown> {
    this.handled.add('wait');
    await this.gate.promise;
    return { event: 'waited' };
  }

  @SubscribeMessage('kick me')
  kick(client: WebSocket): void {
    this.handled.add('kick me');
    client.close(4001, 'kicked');
  }
}

const FIFTY = Array.from({ length: 50 }, (_, index) => index);

function doFrames(): Buffer[] {
  return FIFTY.map((data) => frame(Opcode.text, JSON.stringify({ event: 'do', data })));
}

async function meet(app: TestApp): Promise<{ peer: RawPeer; socket: WebSocket; read: Tally }> {
  const peer = await RawPeer.connect(app.url(), { answersClose: false });
  const socket = await app.gateway(Desk).socket();
  const read = new Tally();
  socket.on('message', () => read.add());
  return { peer, socket, read };
}

race(
  'a client that was kicked and ignores the close frame has no message handled any more',
  { guarantee: 'G8', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const { peer, socket, read } = await meet(app);
    socket.close(4001, 'kicked');
    await peer.closed();
    peer.send(...doFrames());
    await read.reached(50, 'message read by the server');
    await nextMacrotask();
    expect(app.gateway(Desk).handled.count).toBe(0);
    expect(app.met('message-after-close')).toBe(50);
  },
);

race(
  'messages that come while handlers may finish start none',
  { guarantee: 'G8', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk], options: { close: { handlers: 'finish' } } });
    const { peer, socket, read } = await meet(app);
    const desk = app.gateway(Desk);
    peer.emit('wait');
    await desk.handled.reached(1, 'handler started');
    socket.close(4001, 'restart');
    peer.send(...doFrames());
    await read.reached(51, 'message read by the server');
    desk.gate.resolve();
    await peer.closed();
    expect(desk.handled.all).toEqual(['wait']);
    expect(peer.messages.all).toEqual(['{"event":"waited"}']);
  },
);

race(
  'where a raw listener closes at the first of fifty messages read in one tick, none is handled',
  { guarantee: 'G8', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const { peer, socket, read } = await meet(app);
    socket.once('message', () => socket.close(4001, 'kicked'));
    peer.send(...doFrames());
    await read.reached(50, 'message read by the server');
    expect(await peer.closed()).toEqual({ code: 4001, reason: 'kicked' });
    expect(app.gateway(Desk).handled.count).toBe(0);
    expect(peer.messages.count).toBe(0);
  },
);

race(
  'messages behind one whose handler closes start no handler in a later tick',
  { guarantee: 'G8', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const { peer, read } = await meet(app);
    peer.emit('kick me');
    await desk.handled.reached(1, 'handler started');
    peer.send(...doFrames());
    await read.reached(51, 'message read by the server');
    expect(await peer.closed()).toEqual({ code: 4001, reason: 'kicked' });
    expect(desk.handled.all).toEqual(['kick me']);
    expect(peer.messages.count).toBe(0);
  },
);

race(
  "messages before the peer's own close frame are handled, though all was read in one tick",
  { guarantee: 'G8', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const { peer } = await meet(app);
    peer.send(...doFrames(), closeFrame(1000));
    await peer.closed();
    expect(app.gateway(Desk).handled.all).toEqual(FIFTY);
  },
);
