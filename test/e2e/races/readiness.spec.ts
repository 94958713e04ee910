import { expect } from '@jest/globals';
import type { WebSocket } from 'ws';
import { startApp } from '../../support/app.js';
import { CLIENTS } from '../../support/clients/connect.js';
import { frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { nextMacrotask, Tally } from '../../support/waiting.js';
import {
  Guarded,
  Barred,
  Swift,
  TokenFirst,
  Closed,
  Talkative,
} from './fixtures/readiness.gateways.js';

const HUNDRED = Array.from({ length: 100 }, (_, index) => index);

function doFrame(data: unknown): Buffer {
  return frame(Opcode.text, JSON.stringify({ event: 'do', data }));
}

/** Raw listeners see every message at once, so this tells when the server has read them all. */
function readBy(socket: WebSocket): Tally {
  const read = new Tally();
  socket.on('message', () => read.add());
  return read;
}

for (const { name, connect } of CLIENTS) {
  race(
    `of a hundred messages from ${name} none is handled before handleConnection has settled, and all are in order afterwards`,
    { guarantee: 'G7', stock: 'fails' },
    async () => {
      const app = await startApp({ gateways: [Guarded] });
      const gateway = app.gateway(Guarded);
      const client = await connect(app.url());
      const read = readBy(await gateway.socket());
      for (const data of HUNDRED) client.emit('do', data);
      await read.reached(100, 'message read by the server');
      gateway.gate.resolve();
      await client.messages.reached(100, 'reply');
      expect(gateway.early).toEqual([]);
      expect(gateway.handled.all).toEqual(HUNDRED);
      expect(client.dataOf('did')).toEqual(HUNDRED);
      expect(app.met('early-message')).toBe(100);
    },
  );
}

race(
  'a client that handleConnection turns away has had no message handled',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Barred] });
    const gateway = app.gateway(Barred);
    const client = await WsClient.connect(app.url());
    const read = readBy(await gateway.socket());
    for (const data of HUNDRED) client.emit('do', data);
    await read.reached(100, 'message read by the server');
    gateway.gate.resolve();
    expect(await client.closed()).toEqual({ code: 4401, reason: 'unauthorized' });
    expect(gateway.handled.count).toBe(0);
    expect(client.messages.count).toBe(0);
    expect(app.met('message-after-close')).toBe(100);
  },
);

race(
  'a connection that two gateways share waits for both, and then each handles the message',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Swift, Guarded] });
    const [swift, guarded] = [app.gateway(Swift), app.gateway(Guarded)];
    const client = await WsClient.connect(app.url());
    const read = readBy(await guarded.socket());
    client.emit('do', 1);
    await read.reached(1, 'message read by the server');
    await nextMacrotask();
    expect(swift.handled.count).toBe(0);
    expect(guarded.handled.count).toBe(0);
    guarded.gate.resolve();
    await swift.handled.reached(1, 'handler of the swift gateway');
    await guarded.handled.reached(1, 'handler of the guarded gateway');
  },
);

race(
  'messages beyond the byte budget wait in the kernel: none is lost, and all are in order',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({
      gateways: [Guarded],
      options: { connect: { maxPendingBytes: 64 * 1024 } },
    });
    const gateway = app.gateway(Guarded);
    const client = await WsClient.connect(app.url());
    const socket = await gateway.socket();
    const read = readBy(socket);
    const padding = 'x'.repeat(16 * 1024);
    for (const data of HUNDRED) client.emit('do', { data, padding });
    await read.reached(4, 'message read by the server');
    await nextMacrotask();
    expect(gateway.handled.count).toBe(0);
    expect(socket.isPaused).toBe(true);
    gateway.gate.resolve();
    await client.messages.reached(100, 'reply');
    expect(gateway.handled.all).toEqual(HUNDRED.map((data) => ({ data, padding })));
  },
);

race(
  'a token sent first is awaited in handleConnection, and what follows it is handled as that user',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [TokenFirst] });
    const gateway = app.gateway(TokenFirst);
    const client = await WsClient.connect(app.url());
    const read = readBy(await gateway.socket());
    client.text('token of alice');
    for (let data = 0; data < 10; data++) client.emit('do', data);
    await read.reached(11, 'message read by the server');
    gateway.gate.resolve();
    await client.messages.reached(10, 'reply');
    expect(client.dataOf('did')).toEqual(
      Array.from({ length: 10 }, (_, data) => `${data} as token of alice`),
    );
  },
);

race(
  'messages that come in one packet with the upgrade request wait as well, and none is lost',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Guarded] });
    const gateway = app.gateway(Guarded);
    const peer = await RawPeer.connect(app.url(), { withUpgrade: HUNDRED.map(doFrame) });
    await gateway.socket();
    await nextMacrotask();
    gateway.gate.resolve();
    await peer.messages.reached(100, 'reply');
    expect(gateway.early).toEqual([]);
    expect(gateway.handled.all).toEqual(HUNDRED);
  },
);

race(
  'a gateway that closes in the tick of the upgrade handles none of the messages that came with it',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Closed] });
    const peer = await RawPeer.connect(app.url(), { withUpgrade: HUNDRED.map(doFrame) });
    expect(await peer.closed()).toEqual({ code: 4003, reason: 'closed today' });
    await peer.ended();
    expect(peer.messages.all).toEqual(['"sorry"']);
    expect(app.gateway(Closed).handled.count).toBe(0);
  },
);

race(
  'a client that leaves before handleConnection has settled has had no message handled',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Guarded] });
    const gateway = app.gateway(Guarded);
    const client = await WsClient.connect(app.url());
    const socket = await gateway.socket();
    for (const data of HUNDRED) client.emit('do', data);
    client.close(1000);
    await client.closed();
    gateway.gate.resolve();
    await gateway.examined.reached(1, 'end of handleConnection');
    await nextMacrotask();
    expect(gateway.handled.count).toBe(0);
    expect(await app.outcomeOf(socket)).toMatchObject({ initiator: 'peer', handshake: 'clean' });
    expect(app.met('message-after-close')).toBe(100);
  },
);

race(
  'a close while handleConnection is pending is the last word: nothing is handled once it settles',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Guarded] });
    const gateway = app.gateway(Guarded);
    const peer = await RawPeer.connect(app.url(), { answersClose: false });
    const socket = await gateway.socket();
    const read = readBy(socket);
    peer.send(...HUNDRED.map(doFrame));
    await read.reached(100, 'message read by the server');
    socket.send('sorry');
    socket.close(4001, 'closed early');
    expect(await peer.closed()).toEqual({ code: 4001, reason: 'closed early' });
    gateway.gate.resolve();
    await gateway.examined.reached(1, 'end of handleConnection');
    await nextMacrotask();
    expect(gateway.handled.count).toBe(0);
    expect(peer.messages.all).toEqual(['sorry']);
  },
);

race(
  'a gateway that is not ready in time loses the connection with 1013, and is named in a warning',
  { guarantee: 'G7', stock: 'fails' },
  async () => {
    const app = await startApp({
      gateways: [Swift, Guarded],
      options: { connect: { timeout: 200 } },
    });
    const client = await WsClient.connect(app.url());
    const socket = await app.gateway(Guarded).socket();
    client.emit('do', 1);
    expect(await client.closed()).toEqual({ code: 1013, reason: 'not ready in time' });
    expect(app.gateway(Guarded).handled.count).toBe(0);
    expect(await app.outcomeOf(socket)).toMatchObject({ initiator: 'server', handshake: 'clean' });
    const warnings = app.logs.matching('warn', 'ready-timeout');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.text).toContain('handleConnection of Guarded has not settled');
  },
);

race(
  'what handleConnection sends arrives at once, while it is still pending',
  { guarantee: 'G7', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Talkative] });
    const client = await WsClient.connect(app.url());
    expect(await client.message(0)).toEqual({ event: 'hello' });
  },
);

race(
  "with connect.waitFor: 'nothing', messages are handled while handleConnection lives",
  { guarantee: 'G7', stock: 'passes' },
  async () => {
    const app = await startApp({
      gateways: [Talkative],
      options: { connect: { waitFor: 'nothing' } },
    });
    const client = await WsClient.connect(app.url());
    client.emit('do', 1);
    expect(await client.message(1)).toEqual({ event: 'did', data: 1 });
  },
);
