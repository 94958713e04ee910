import { expect } from '@jest/globals';
import { startApp } from '../../support/app.js';
import { CLIENTS } from '../../support/clients/connect.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { nextMacrotask } from '../../support/waiting.js';
import { Desk, CompressingDesk, HUNDRED, TEN } from './fixtures/desk.gateway.js';

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
