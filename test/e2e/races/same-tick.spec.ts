import { expect } from '@jest/globals';
import { startApp } from '../../support/app.js';
import { closeFrame, frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { nextMacrotask } from '../../support/waiting.js';
import { Desk, TEN } from './fixtures/desk.gateway.js';

function nowFrame(data: number): Buffer {
  return frame(Opcode.text, JSON.stringify({ event: 'now', data }));
}

for (const event of ['bye', 'bye later']) {
  race(
    `the reply of a handler that closes and returns in one macrotask arrives before the close ("${event}")`,
    { guarantee: 'G2', stock: 'fails' },
    async () => {
      const app = await startApp({ gateways: [Desk] });
      const client = await WsClient.connect(app.url());
      client.emit(event);
      expect(await client.closed()).toEqual({ code: 4000, reason: 'bye' });
      expect(client.events).toEqual([{ event: 'bye', data: 'last words' }]);
    },
  );
}

race(
  'ten requests and one that makes the server close, all read in one tick, are answered before the close',
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    await app.gateway(Desk).socket();
    peer.send(...TEN.map(nowFrame), frame(Opcode.text, '{"event":"bye"}'));
    expect(await peer.closed()).toEqual({ code: 4000, reason: 'bye' });
    expect(peer.messages.all.map((message) => JSON.parse(message) as unknown)).toEqual([
      ...TEN.map((data) => ({ event: 'now', data })),
      { event: 'bye', data: 'last words' },
    ]);
  },
);

race(
  'ten requests that the peer follows with its close frame in one tick are answered before ours',
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    await app.gateway(Desk).socket();
    peer.send(...TEN.map(nowFrame), closeFrame(1000));
    expect(await peer.closed()).toEqual({ code: 1000, reason: '' });
    expect(peer.messages.all).toEqual(TEN.map((data) => `{"event":"now","data":${data}}`));
  },
);

race(
  'ten requests that a ws client follows with close() in one tick are answered',
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    for (const data of TEN) client.emit('now', data);
    client.close(1000);
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    expect(desk.started.count).toBe(10);
    expect(client.dataOf('now')).toEqual(TEN);
    expect(await app.outcomeOf(socket)).toMatchObject({ written: 10, lost: 0, refusedReplies: 0 });
  },
);

race(
  'replies, sends of the app and sends of the module leave in the order in which they were made',
  { guarantee: 'G2', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const { service } = app;
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    desk.closeAwaited = async () => {
      socket.send('{"event":"1"}');
      service.post(socket, '2');
      desk.feed.next(3);
      void service.emit(socket, '4');
      socket.send(Buffer.from('{"event":"5"}'));
      void service.send(socket, '{"event":"6"}');
      await service.close(socket, 4000);
    };
    client.emit('feed');
    await desk.started.reached(1, 'handler started');
    await nextMacrotask();
    client.emit('close and await');
    await client.closed();
    expect(client.messages.all.map((message) => Number(/\d/.exec(message)?.[0]))).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
  },
);
