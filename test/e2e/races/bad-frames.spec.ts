import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { startApp } from '../../support/app.js';
import { closeFrame, frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally } from '../../support/waiting.js';

@WebSocketGateway({ maxPayload: 1024 })
class Desk extends Reception {
  readonly started = new Tally();
  readonly gate = deferred();

  @SubscribeMessage('echo')
  echo(_client: WebSocket, data: unknown): unknown {
    return { event: 'echo', data };
  }

  @SubscribeMessage('wait')
  async wait(): Promise<unknown> {
    this.started.add();
    await this.gate.promise;
    return { event: 'waited' };
  }
}

const invalidUtf8 = Buffer.from([0xc3, 0x28]);

const BAD_FRAMES: readonly { what: string; bytes: Buffer; code: number }[] = [
  {
    what: 'a frame that is not masked',
    bytes: frame(Opcode.text, 'x', { masked: false }),
    code: 1002,
  },
  { what: 'a reserved bit', bytes: frame(Opcode.text, 'x', { reserved: 4 }), code: 1002 },
  { what: 'an unknown opcode', bytes: frame(0x3, 'x'), code: 1002 },
  { what: 'a ping of 126 bytes', bytes: frame(Opcode.ping, 'x'.repeat(126)), code: 1002 },
  { what: 'a continuation of nothing', bytes: frame(Opcode.continuation, 'x'), code: 1002 },
  { what: 'the close code 1005', bytes: closeFrame(1005), code: 1002 },
  { what: 'a close frame of one byte', bytes: frame(Opcode.close, 'x'), code: 1002 },
  { what: 'text that is no UTF-8', bytes: frame(Opcode.text, invalidUtf8), code: 1007 },
  { what: 'a message above maxPayload', bytes: frame(Opcode.text, 'x'.repeat(1025)), code: 1009 },
];

for (const { what, bytes, code } of BAD_FRAMES) {
  race(
    `${what} is answered with ${code}, and harms no other connection`,
    { guarantee: 'G6', stock: 'passes' },
    async () => {
      const app = await startApp({ gateways: [Desk] });
      const other = await WsClient.connect(app.url());
      const peer = await RawPeer.connect(app.url());
      peer.send(bytes);
      expect(await peer.closed()).toEqual({ code, reason: '' });
      await peer.ended();
      other.emit('echo', 1);
      expect(await other.message(0)).toEqual({ event: 'echo', data: 1 });
    },
  );
}

race(
  'a broken frame is told as such, with the code that answered it',
  { guarantee: 'G13', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Desk).socket();
    peer.send(frame(0x3));
    await peer.ended();
    expect(await app.outcomeOf(socket)).toMatchObject({ initiator: 'server', code: 1002 });
    expect(app.met('protocol-error')).toBe(1);
  },
);

race(
  'requests before a broken frame, read in the same tick, are answered before the close',
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    await app.gateway(Desk).socket();
    peer.send(frame(Opcode.text, '{"event":"echo","data":1}'), frame(0x3));
    expect(await peer.closed()).toEqual({ code: 1002, reason: '' });
    expect(peer.messages.all).toEqual(['{"event":"echo","data":1}']);
  },
);

race(
  'a broken frame while handlers may finish a close cuts them off, and its code decides',
  { guarantee: 'G4', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk], options: { close: { handlers: 'finish' } } });
    const desk = app.gateway(Desk);
    const peer = await RawPeer.connect(app.url());
    const socket = await desk.socket();
    peer.emit('wait');
    await desk.started.reached(1, 'handler started');
    socket.close(4001, 'restart');
    await nextMacrotask();
    peer.send(frame(0x3));
    expect(await peer.closed()).toEqual({ code: 1002, reason: '' });
    await peer.ended();
    expect(peer.messages.count).toBe(0);
  },
);

race(
  'a peer that ends its side without a close frame is let go, and told as lost',
  { guarantee: 'G13', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Desk).socket();
    peer.halfClose();
    await peer.ended();
    expect(peer.closes.count).toBe(0);
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'network',
      handshake: 'lost',
      code: 1006,
      requests: [],
    });
  },
);

race(
  'a peer that resets while handlers run ends the connection, and their replies are told as refused',
  { guarantee: 'G8', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const peer = await RawPeer.connect(app.url());
    const socket = await desk.socket();
    const ended = new Tally();
    socket.on('close', () => ended.add());
    for (let request = 0; request < 10; request++) peer.emit('wait');
    await desk.started.reached(10, 'handler started');
    peer.reset();
    await ended.reached(1, "'close' of the server's socket");
    desk.gate.resolve();
    await nextMacrotask();
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'network',
      handshake: 'lost',
      code: 1006,
      refusedReplies: 10,
    });
    expect(app.met('reply-after-close')).toBe(10);
  },
);
