import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { startApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WhatwgClient } from '../../support/clients/whatwg.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { Tally } from '../../support/waiting.js';

@WebSocketGateway()
class Lobby extends Reception {
  readonly departures = new Tally();

  handleDisconnect(): void {
    this.departures.add();
  }

  @SubscribeMessage('hello')
  hello(): unknown {
    return { event: 'hello' };
  }
}

const BRISK = { heartbeat: { interval: 100, timeout: 100 } };

race(
  'a client that has frozen is found, and let go',
  { guarantee: 'G12', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Lobby], options: BRISK });
    const peer = await RawPeer.connect(app.url());
    const lobby = app.gateway(Lobby);
    const socket = await lobby.socket();
    peer.freeze();
    await lobby.departures.reached(1, 'handleDisconnect');
    expect(await app.outcomeOf(socket)).toMatchObject({
      initiator: 'network',
      handshake: 'lost',
      code: 1006,
    });
    expect(app.met('peer-lost')).toBe(1);
  },
);

race(
  'a client that answers no pings and says nothing is found, and let go',
  { guarantee: 'G12', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Lobby], options: BRISK });
    await RawPeer.connect(app.url(), { answersPings: false });
    await app.gateway(Lobby).departures.reached(1, 'handleDisconnect');
  },
);

race(
  'a client that is silent but alive stays, and how far it is away is known',
  { guarantee: 'G12', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Lobby], options: BRISK });
    await WhatwgClient.connect(app.url());
    const lobby = app.gateway(Lobby);
    const alive = app.service.connection(await lobby.socket())!;
    // Ten times as long as it takes to find one that is not.
    for (let found = 1; found <= 10; found++) {
      // oxlint-disable-next-line no-await-in-loop
      (await RawPeer.connect(app.url())).freeze();
      // oxlint-disable-next-line no-await-in-loop
      await lobby.departures.reached(found, 'handleDisconnect');
    }
    expect(alive.state).toBe('open');
    expect(alive.latency).toBeGreaterThan(0);
  },
);
