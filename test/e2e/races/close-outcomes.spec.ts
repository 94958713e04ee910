import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { startApp } from '../../support/app.js';
import { Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally } from '../../support/waiting.js';

@WebSocketGateway()
class Desk extends Reception {
  readonly started = new Tally();
  readonly gate = deferred();

  @SubscribeMessage('wait')
  async wait(): Promise<unknown> {
    this.started.add();
    await this.gate.promise;
    return { event: 'done' };
  }
}

race(
  'all who close get one outcome, which lists every request and which of them were superseded',
  { guarantee: 'G4', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const client = await WsClient.connect(app.url());
    const socket = await app.gateway(Desk).socket();
    socket.close(1000, 'idle');
    const closes = [
      app.service.close(socket, 4001, 'kicked'),
      app.service.close(socket, 1008, 'banned'),
      app.service.close(socket, 1011, 'broken'),
    ];
    expect(await client.closed()).toEqual({ code: 1008, reason: 'banned' });
    const outcome = await app.outcomeOf(socket);
    expect(outcome).toMatchObject({
      initiator: 'server',
      handshake: 'clean',
      code: 1008,
      reason: 'banned',
      requests: [
        { code: 1000, reason: 'idle', superseded: true },
        { code: 4001, reason: 'kicked', superseded: true },
        { code: 1008, reason: 'banned', superseded: false },
        { code: 1011, reason: 'broken', superseded: true },
      ],
    });
    for (const told of await Promise.all(closes)) expect(told).toBe(outcome);
    expect(app.met('concurrent-close')).toBe(3);
    expect(app.met('superseded-code')).toBe(3);
  },
);

race(
  'a close that comes after the close frame sends no second one, and is listed as superseded',
  { guarantee: 'G4', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url(), { answersClose: false });
    const socket = await app.gateway(Desk).socket();
    socket.close(1000, 'idle');
    await peer.closed();
    socket.close(1008, 'banned');
    await nextMacrotask();
    peer.close(1000);
    await peer.ended();
    expect(peer.closes.all).toEqual([{ code: 1000, reason: 'idle' }]);
    expect(await app.outcomeOf(socket)).toMatchObject({
      handshake: 'clean',
      code: 1000,
      requests: [
        { code: 1000, superseded: false },
        { code: 1008, superseded: true },
      ],
    });
  },
);

race(
  "the answer to the peer's close frame is no request, and repeats its code",
  { guarantee: 'G4', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Desk).socket();
    peer.close(3001, 'leaving');
    await peer.ended();
    expect(peer.closes.all).toMatchObject([{ code: 3001 }]);
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'peer',
      handshake: 'clean',
      code: 3001,
      reason: 'leaving',
      requests: [],
    });
    expect(app.met('concurrent-close')).toBe(0);
  },
);

race(
  'one close frame ends what is sent, whoever goes on sending and closing',
  { guarantee: 'G2', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const peer = await RawPeer.connect(app.url(), { answersClose: false, answersPings: false });
    const socket = await desk.socket();
    peer.emit('wait');
    await desk.started.reached(1, 'handler started');
    socket.send('before');
    socket.close(4001);
    await nextMacrotask();
    socket.send('after');
    socket.ping();
    socket.close(1011);
    desk.gate.resolve();
    await peer.closed();
    socket.send('long after');
    socket.close(1011);
    await nextMacrotask();
    peer.close(4001);
    await peer.ended();
    expect(peer.messages.all).toEqual(['before']);
    const opcodes = peer.frames.all.map(({ opcode }) => opcode);
    expect(opcodes.indexOf(Opcode.close)).toBe(opcodes.length - 1);
  },
);

race(
  'terminate() cuts a close short, and both callers get one outcome',
  { guarantee: 'G4', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url(), { answersClose: false });
    const socket = await app.gateway(Desk).socket();
    socket.close(4001, 'kicked');
    await peer.closed();
    socket.terminate();
    await peer.ended();
    const outcome = await app.outcomeOf(socket);
    expect(outcome).toMatchObject({ handshake: 'terminated', code: 4001, reason: 'kicked' });
    expect(await app.service.terminate(socket)).toBe(outcome);
  },
);

race(
  'terminate() in the tick of a close leaves no close frame behind',
  { guarantee: 'G4', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Desk).socket();
    socket.close(4001, 'kicked');
    socket.terminate();
    await peer.ended();
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'server',
      handshake: 'terminated',
      code: 1006,
      requests: [{ code: 4001, reason: 'kicked' }],
    });
    expect(peer.closes.count).toBe(0);
  },
);
