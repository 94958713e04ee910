import { expect, test } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startApp } from '../../support/app.js';
import { NetworkNamespace } from '../../support/network.namespace.js';
import { Reception } from '../../support/reception.js';
import { within } from '../../support/waiting.js';

@WebSocketGateway()
class Lobby extends Reception {}

/** Node's own client is not there in Node 20, and ws is found from the working directory. */
const CLIENT = `
  const { WebSocket } = require('ws');
  const socket = new WebSocket(process.argv[1]);
  socket.on('open', () => console.log('open'));
  socket.on('ping', () => console.log('ping'));
`;

const missing = NetworkNamespace.missing();

if (missing === undefined) {
  test('a client whose link was cut is found within interval and timeout', async () => {
    const heartbeat = { interval: 300, timeout: 300 };
    const app = await startApp({ gateways: [Lobby], options: { heartbeat }, address: '0.0.0.0' });
    const namespace = NetworkNamespace.make();
    const url = `ws://${namespace.hostAddress}:${app.port}/`;
    const lines = createInterface({ input: namespace.run(CLIENT, url).stdout! });
    const socket = await app.gateway(Lobby).socket();
    const connection = app.service.connection(socket)!;
    // It lives: it has answered a heartbeat.
    while ((await within(once(lines, 'line'), 'a line of the client'))[0] !== 'ping');
    namespace.cut();
    const cutAt = performance.now();
    expect(await within(connection.closed, 'the end of the connection')).toMatchObject({
      initiator: 'network',
      handshake: 'lost',
      code: 1006,
    });
    // Generous for a busy machine; TCP itself would take about 15 minutes.
    expect(performance.now() - cutAt).toBeLessThan(5_000);
  });
} else {
  // oxlint-disable-next-line jest/no-disabled-tests -- the title says why
  test.skip(`a client whose link was cut is found (no network namespace here: ${missing})`, () => {});
}
