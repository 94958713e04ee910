import { expect } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import { startApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { Tally } from '../../support/waiting.js';

/** On the stock stack only ws's 30 s bound a close. */
@WebSocketGateway()
class Lobby extends Reception {}

const TIMEOUTS = { close: { flushTimeout: 300, handshakeTimeout: 300 } };

race(
  'a peer that never answers the close frame is cut off in time',
  { guarantee: 'G5', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Lobby], options: TIMEOUTS });
    const peer = await RawPeer.connect(app.url(), { answersClose: false, answersPings: false });
    const socket = await app.gateway(Lobby).socket();
    socket.close(4000, 'bye');
    await peer.ended();
    expect(peer.closes.all).toEqual([{ code: 4000, reason: 'bye' }]);
    expect(await app.outcomeOf(socket)).toMatchObject({ handshake: 'terminated', code: 4000 });
    expect(app.met('handshake-timeout')).toBe(1);
  },
);

race(
  'a peer that only answers pings is cut off in time, and what it has read is acknowledged',
  { guarantee: 'G5', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Lobby], options: TIMEOUTS });
    const peer = await RawPeer.connect(app.url(), { answersClose: false });
    const socket = await app.gateway(Lobby).socket();
    socket.send('read');
    socket.close(4000, 'bye');
    await peer.ended();
    expect(await app.outcomeOf(socket)).toMatchObject({
      handshake: 'terminated',
      acknowledged: true,
      written: 1,
    });
  },
);

race(
  'a peer that has frozen with nothing unsent is cut off in time',
  { guarantee: 'G5', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Lobby], options: TIMEOUTS });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Lobby).socket();
    peer.freeze();
    const ended = new Tally();
    socket.on('close', () => ended.add());
    socket.close(4000, 'bye');
    await ended.reached(1, "'close' of the server's socket");
    expect(await app.outcomeOf(socket)).toMatchObject({ handshake: 'terminated', code: 4000 });
  },
);

race(
  'a socket that the app has paused still closes cleanly',
  { guarantee: 'G5', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Lobby] });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Lobby).socket();
    socket.send('read');
    socket.pause();
    socket.close(4000, 'bye');
    await peer.ended();
    expect(peer.messages.all).toEqual(['read']);
    expect(await app.outcomeOf(socket)).toMatchObject({ handshake: 'clean', acknowledged: true });
  },
);
