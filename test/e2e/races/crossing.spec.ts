import { expect } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import { startApp } from '../../support/app.js';
import { CLIENTS } from '../../support/clients/connect.js';
import { closeFrame, frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WhatwgClient } from '../../support/clients/whatwg.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { nextMacrotask } from '../../support/waiting.js';

@WebSocketGateway()
class Lobby extends Reception {}

race(
  'where closes cross, a WHATWG client discards what it has not read, and nobody is told that it was acknowledged',
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const client = await WhatwgClient.connect(app.url());
    const socket = await app.gateway(Lobby).socket();
    for (let message = 0; message < 10; message++) socket.send(`message ${message}`);
    client.close(3000, 'leaving');
    socket.close(4000, 'kicked');
    expect(await client.closed()).toMatchObject({ wasClean: true });
    expect(client.messages.count).toBe(0);
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'server',
      handshake: 'crossed',
      acknowledged: false,
      code: 4000,
      written: 10,
      lost: 0,
    });
    expect(app.met('crossed-close')).toBe(1);
  },
);

race(
  "a WHATWG client's close that comes first is told as its own, and unread messages not as acknowledged",
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const client = await WhatwgClient.connect(app.url());
    const socket = await app.gateway(Lobby).socket();
    client.close(3000, 'leaving');
    socket.send('unread');
    expect(await client.closed()).toMatchObject({ code: 3000, wasClean: true });
    expect(client.messages.count).toBe(0);
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'peer',
      handshake: 'clean',
      acknowledged: false,
      code: 3000,
      requests: [],
    });
  },
);

for (const { name, connect } of CLIENTS) {
  race(
    `where closes do not cross, ${name} has read everything, and all are told that it was acknowledged`,
    { guarantee: 'G3', stock: 'untold' },
    async () => {
      const app = await startApp({ gateways: [Lobby] });
      const client = await connect(app.url());
      const socket = await app.gateway(Lobby).socket();
      for (let message = 0; message < 10; message++) socket.send(`message ${message}`);
      socket.close(4000, 'kicked');
      expect(await client.closed()).toMatchObject({ code: 4000, reason: 'kicked' });
      expect(client.messages.count).toBe(10);
      expect(await app.outcomeOf(socket)).toMatchObject({
        initiator: 'server',
        handshake: 'clean',
        acknowledged: true,
        written: 10,
      });
      expect(app.met('crossed-close')).toBe(0);
    },
  );
}

race(
  "a peer's close frame that is read before ours is written, but after close(), crosses it",
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const peer = await RawPeer.connect(app.url(), { answersClose: false });
    const socket = await app.gateway(Lobby).socket();
    // Raw listeners see the message first, in the same read as the close frame behind it.
    socket.once('message', () => {
      socket.send('unproven');
      socket.close(4000, 'kicked');
    });
    peer.send(frame(Opcode.text, 'anything'), closeFrame(3000, 'leaving'));
    expect(await peer.closed()).toEqual({ code: 4000, reason: 'kicked' });
    await peer.ended();
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'server',
      handshake: 'crossed',
      acknowledged: false,
      code: 4000,
      written: 1,
      requests: [{ code: 4000, superseded: false }],
    });
  },
);

race(
  'a peer that answers the close but not the ping before it is told as crossed',
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const peer = await RawPeer.connect(app.url(), { answersPings: false });
    const socket = await app.gateway(Lobby).socket();
    socket.send('unproven');
    socket.close(4000);
    await peer.ended();
    expect(await app.outcomeOf(socket)).toMatchObject({
      handshake: 'crossed',
      acknowledged: false,
      written: 1,
    });
  },
);

for (const { name, connect } of CLIENTS) {
  race(
    `a send to ${name} that asks for it is acknowledged once it was read`,
    { guarantee: 'G3', stock: 'untold' },
    async () => {
      const app = await startApp({ gateways: [Lobby] });
      const client = await connect(app.url());
      const socket = await app.gateway(Lobby).socket();
      const outcomes = await Promise.all([
        app.service.emit(socket, 'first', 1, { acknowledge: true }),
        app.service.emit(socket, 'second', 2, { acknowledge: true }),
      ]);
      expect(outcomes).toEqual([{ status: 'acknowledged' }, { status: 'acknowledged' }]);
      expect(client.messages.count).toBe(2);
    },
  );
}

race(
  'a send that nobody has read when the connection is terminated is told as lost, never as acknowledged',
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Lobby).socket();
    peer.freeze();
    const sent = app.service.send(socket, 'unread', { acknowledge: true });
    await nextMacrotask();
    const outcome = await app.service.terminate(socket);
    expect(await sent).toEqual({ status: 'lost', cause: 'terminated', sent: 'maybe' });
    expect(outcome).toMatchObject({ handshake: 'terminated', acknowledged: false });
  },
);
