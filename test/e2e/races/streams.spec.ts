import { expect } from '@jest/globals';
import { startApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { nextMacrotask } from '../../support/waiting.js';
import { Desk, TEN } from './fixtures/desk.gateway.js';

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
