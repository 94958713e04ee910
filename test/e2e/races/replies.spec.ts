import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Subject, type Observable } from 'rxjs';
import type { WebSocket } from 'ws';
import { startApp } from '../../support/app.js';
import { CLIENTS } from '../../support/clients/connect.js';
import { closeFrame, frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally } from '../../support/waiting.js';

@WebSocketGateway()
class Desk extends Reception {
  readonly started = new Tally<unknown>();
  readonly answered = new Tally();
  readonly gate = deferred();
  readonly feed = new Subject<number>();

  @SubscribeMessage('wait')
  async wait(_client: WebSocket, data: unknown): Promise<unknown> {
    this.started.add(data);
    await this.gate.promise;
    this.answered.add();
    return { event: 'wait', data };
  }

  @SubscribeMessage('now')
  now(_client: WebSocket, data: unknown): unknown {
    this.started.add(data);
    return { event: 'now', data };
  }

  @SubscribeMessage('feed')
  values(): Observable<number> {
    this.started.add('feed');
    return this.feed;
  }

  /** What a handler awaits that closes its own connection. */
  closeAwaited: (client: WebSocket) => Promise<unknown> = () => Promise.resolve();

  @SubscribeMessage('close and await')
  async closeAndAwait(client: WebSocket): Promise<void> {
    await this.closeAwaited(client);
    this.answered.add();
  }

  @SubscribeMessage('bye')
  bye(client: WebSocket): unknown {
    client.close(4000, 'bye');
    return { event: 'bye', data: 'last words' };
  }

  @SubscribeMessage('bye later')
  async byeLater(client: WebSocket): Promise<unknown> {
    await Promise.resolve();
    client.close(4000, 'bye');
    await Promise.resolve();
    return { event: 'bye', data: 'last words' };
  }
}

/** ws holds frames back while it compresses them. */
@WebSocketGateway({ perMessageDeflate: { threshold: 0 } })
class CompressingDesk extends Desk {}

const HUNDRED = Array.from({ length: 100 }, (_, index) => index);
const TEN = HUNDRED.slice(0, 10);

function nowFrame(data: number): Buffer {
  return frame(Opcode.text, JSON.stringify({ event: 'now', data }));
}

for (const { name, connect } of CLIENTS) {
  race(
    `with handlers: 'finish', a hundred handlers in flight at a close reply to ${name} before it sees the close`,
    { guarantee: 'G8', stock: 'fails' },
    async () => {
      const app = await startApp({ gateways: [Desk], options: { close: { handlers: 'finish' } } });
      const desk = app.gateway(Desk);
      const client = await connect(app.url());
      const socket = await desk.socket();
      for (const data of HUNDRED) client.emit('wait', data);
      await desk.started.reached(100, 'handler started');

      socket.close(4001, 'restart');
      await nextMacrotask();
      desk.gate.resolve();

      expect(await client.closed()).toMatchObject({ code: 4001, reason: 'restart' });
      expect(client.dataOf('wait')).toEqual(HUNDRED);
      expect(await app.outcomeOf(socket)).toMatchObject({
        initiator: 'server',
        handshake: 'clean',
        acknowledged: true,
        written: 100,
        lost: 0,
        refusedReplies: 0,
      });
      expect(app.met('reply-after-close')).toBe(0);
    },
  );
}

race(
  "with handlers: 'finish', compressed replies arrive before the close, and in order",
  { guarantee: 'G2', stock: 'fails' },
  async () => {
    const app = await startApp({
      gateways: [CompressingDesk],
      options: { close: { handlers: 'finish' } },
    });
    const desk = app.gateway(CompressingDesk);
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    expect(client.socket.extensions).toContain('permessage-deflate');
    for (const data of HUNDRED) client.emit('wait', data);
    await desk.started.reached(100, 'handler started');
    socket.close(4001, 'restart');
    await nextMacrotask();
    desk.gate.resolve();
    expect(await client.closed()).toEqual({ code: 4001, reason: 'restart' });
    expect(client.dataOf('wait')).toEqual(HUNDRED);
    expect(await app.outcomeOf(socket)).toMatchObject({ acknowledged: true, written: 100 });
  },
);

race(
  "with handlers: 'abort', the replies of a hundred handlers in flight at a close are refused, and each is told",
  { guarantee: 'G8', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    for (const data of HUNDRED) client.emit('wait', data);
    await desk.started.reached(100, 'handler started');

    socket.close(4001, 'kicked');
    await nextMacrotask();
    desk.gate.resolve();
    await desk.answered.reached(100, 'handler ended');

    expect(await client.closed()).toEqual({ code: 4001, reason: 'kicked' });
    expect(client.messages.count).toBe(0);
    expect(await app.outcomeOf(socket)).toMatchObject({
      handshake: 'clean',
      written: 0,
      lost: 0,
      refusedReplies: 100,
    });
    expect(app.met('reply-after-close')).toBe(100);
  },
);

for (const { name, connect } of CLIENTS) {
  race(
    `where ${name} closes while a hundred handlers run, their replies are refused, and each is told`,
    { guarantee: 'G8', stock: 'untold' },
    async () => {
      const app = await startApp({ gateways: [Desk], options: { close: { handlers: 'finish' } } });
      const desk = app.gateway(Desk);
      const client = await connect(app.url());
      const socket = await desk.socket();
      for (const data of HUNDRED) client.emit('wait', data);
      await desk.started.reached(100, 'handler started');

      client.close(3000, 'leaving');
      expect(await client.closed()).toMatchObject({ code: 3000, reason: 'leaving' });
      desk.gate.resolve();
      await desk.answered.reached(100, 'handler ended');
      await nextMacrotask();

      expect(client.messages.count).toBe(0);
      expect(await app.outcomeOf(socket)).toMatchObject({
        initiator: 'peer',
        handshake: 'clean',
        code: 3000,
        reason: 'leaving',
        requests: [],
        refusedReplies: 100,
      });
      expect(app.met('reply-after-close')).toBe(100);
    },
  );
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
  "a handler's Observable is unsubscribed the moment the server closes, though the peer lives on",
  { guarantee: 'G8', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const peer = await RawPeer.connect(app.url(), { answersClose: false });
    const socket = await desk.socket();
    peer.emit('feed');
    await desk.started.reached(1, 'handler started');
    await nextMacrotask();
    desk.feed.next(1);
    await peer.messages.reached(1, 'value of the Observable');

    socket.close(4001);
    expect(desk.feed.observed).toBe(false);
    desk.feed.next(2);
    await peer.closed();
    expect(peer.messages.all).toEqual(['1']);
    peer.close(4001);
    expect(await app.outcomeOf(socket)).toMatchObject({ handshake: 'clean', refusedReplies: 1 });
    expect(app.met('stream-cut')).toBe(1);
  },
);

race(
  "with handlers: 'finish', a handler's Observable may end, and all its values arrive before the close",
  { guarantee: 'G8', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk], options: { close: { handlers: 'finish' } } });
    const desk = app.gateway(Desk);
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    client.emit('feed');
    await desk.started.reached(1, 'handler started');
    await nextMacrotask();
    socket.close(4001);
    await nextMacrotask();
    for (const value of TEN) desk.feed.next(value);
    desk.feed.complete();
    expect(await client.closed()).toMatchObject({ code: 4001 });
    expect(client.messages.all).toEqual(TEN.map(String));
  },
);

race(
  "with handlers: 'finish', handlers that never end hold the close back no longer than settleTimeout",
  { guarantee: 'G5', stock: 'untold' },
  async () => {
    const app = await startApp({
      gateways: [Desk],
      options: { close: { handlers: 'finish' }, handlers: { settleTimeout: 200 } },
    });
    const desk = app.gateway(Desk);
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    for (const data of TEN) client.emit('wait', data);
    await desk.started.reached(10, 'handler started');
    socket.close(4001, 'restart');
    expect(await client.closed()).toEqual({ code: 4001, reason: 'restart' });
    expect(await app.outcomeOf(socket)).toMatchObject({ handshake: 'clean', refusedReplies: 10 });
    expect(app.met('settle-timeout')).toBe(1);
    desk.gate.resolve();
    await desk.answered.reached(10, 'handler ended');
    await nextMacrotask();
    expect(client.messages.count).toBe(0);
    expect(app.met('reply-after-close')).toBe(10);
  },
);

race(
  'handlers that one close lets finish are cut off by another that does not',
  { guarantee: 'G8', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    for (const data of TEN) client.emit('wait', data);
    await desk.started.reached(10, 'handler started');
    app.close(socket, 1001, 'restart', { handlers: 'finish' });
    await nextMacrotask();
    await nextMacrotask();
    app.close(socket, 4001, 'kicked', { handlers: 'abort' });
    const { refusedReplies } = await app.outcomeOf(socket);
    desk.gate.resolve();
    await desk.answered.reached(10, 'handler ended');
    expect(await client.closed()).toEqual({ code: 4001, reason: 'kicked' });
    expect(refusedReplies).toBe(10);
    expect(client.messages.count).toBe(0);
  },
);

race(
  'a handler may await the close of its own connection, and does not wait for itself',
  { guarantee: 'G5', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const desk = app.gateway(Desk);
    const { service } = app;
    desk.closeAwaited = (socket) => service.close(socket, 4001, 'done');
    const client = await WsClient.connect(app.url());
    client.emit('close and await');
    await desk.answered.reached(1, 'handler ended');
    expect(await client.closed()).toEqual({ code: 4001, reason: 'done' });
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
