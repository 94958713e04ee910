import { expect } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import { startApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { Tally } from '../../support/waiting.js';

@WebSocketGateway()
class Lobby extends Reception {}

const MESSAGE = 'x'.repeat(64 * 1024);

race(
  'a Blob, which has to be read first, and what was sent after it arrive in order before the close',
  { guarantee: 'G2', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const client = await WsClient.connect(app.url());
    const socket = await app.gateway(Lobby).socket();
    for (const text of ['1', '2', '3']) {
      // Its types know of no Blob.
      socket.send(new Blob([text]) as never);
      socket.send(`after ${text}`);
    }
    socket.close(4000, 'bye');
    expect(await client.closed()).toEqual({ code: 4000, reason: 'bye' });
    expect(client.messages.all).toEqual(['1', 'after 1', '2', 'after 2', '3', 'after 3']);
  },
);

race(
  'a send after the close fails its callback, and leaves nothing in bufferedAmount',
  { guarantee: 'G3', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const peer = await RawPeer.connect(app.url(), { answersClose: false });
    const socket = await app.gateway(Lobby).socket();
    socket.close(4000);
    await peer.closed();
    const called = new Tally<Error | null | undefined>();
    for (let message = 0; message < 10; message++) {
      socket.send(MESSAGE, (error) => called.add(error));
      socket.send(MESSAGE);
    }
    await called.reached(10, 'callback of send()');
    for (const error of called.all) expect(error).toBeInstanceOf(Error);
    expect(socket.bufferedAmount).toBe(0);
    expect(await app.service.send(socket, 'more')).toEqual({ status: 'refused', cause: 'closing' });
    peer.close(4000);
    await peer.ended();
    await app.outcomeOf(socket);
    expect(await app.service.send(socket, 'more')).toEqual({ status: 'refused', cause: 'closed' });
    expect(app.met('send-after-close')).toBe(22);
  },
);

race(
  'a send to a client that has left is refused, and told',
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const client = await WsClient.connect(app.url());
    const socket = await app.gateway(Lobby).socket();
    client.close(1000);
    await client.closed();
    expect(await app.service.send(socket, 'more')).toEqual({
      status: 'refused',
      cause: 'peer-closed',
    });
  },
);
