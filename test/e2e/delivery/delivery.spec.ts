import { expect, test } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import type { UnacknowledgedMessage } from '../../../src/index.js';
import { startApp, type TestApp } from '../../support/app.js';
import { noChromium, openPage } from '../../support/chromium.js';
import { WhatwgClient } from '../../support/clients/whatwg.client.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { noPython, PythonProgram } from '../../support/python.js';
import { Reception } from '../../support/reception.js';
import { Tally } from '../../support/waiting.js';

/** Stock clients, as they come. */
interface StockClient {
  readonly messages: Tally<string>;
  /** Stops the process or the event loop of its stack, so that it reads nothing more. */
  readonly freeze?: () => unknown;
  readonly vanish: () => unknown;
}

type Connect = (app: TestApp) => Promise<StockClient>;

@WebSocketGateway()
class Feed extends Reception {}

const CLIENTS: [name: string, connect: Connect, skipped: string | undefined][] = [
  [
    'ws',
    async (app) => {
      const client = await WsClient.connect(app.url());
      return { messages: client.messages, vanish: () => client.socket.terminate() };
    },
    undefined,
  ],
  [
    'undici',
    async (app) => {
      const client = await WhatwgClient.connect(app.url());
      return { messages: client.messages, vanish: () => client.close() };
    },
    undefined,
  ],
  [
    'Chromium',
    async (app) => {
      const messages = new Tally<string>();
      const page = await openPage(app.url().replace('ws:', 'http:'), (text) => {
        messages.add(text);
      });
      await page.evaluate(
        `const socket = new WebSocket(${JSON.stringify(app.url())});
         socket.onmessage = ({ data }) => tell(data);`,
      );
      return { messages, vanish: () => page.context().browser()!.close() };
    },
    noChromium,
  ],
  [
    "Python's websockets",
    async (app) => {
      const program = PythonProgram.start(
        new URL('./fixtures/reader.py', import.meta.url),
        app.url(),
      );
      await program.lines.at(0, 'line of the client in Python');
      const messages = new Tally<string>();
      const forward = async (): Promise<void> => {
        for (let index = 1; index <= MESSAGES; index++) {
          // oxlint-disable-next-line no-await-in-loop
          messages.add(await program.lines.at(index, 'message'));
        }
      };
      void forward();
      return {
        messages,
        freeze: () => program.kill('SIGSTOP'),
        vanish: () => program.kill('SIGKILL'),
      };
    },
    noPython,
  ],
];

const MESSAGES = 50;

for (const [name, connect, skipped] of CLIENTS) {
  if (skipped) console.warn(`${name}: ${skipped}`);
  const run = skipped ? test.skip : test;

  run(`what ${name} is acknowledged to have read, it has; the rest is handed back`, async () => {
    const back = new Tally<readonly UnacknowledgedMessage[]>();
    const app = await startApp({ gateways: [Feed], options: { close: { flushTimeout: 1_000 } } });
    app.service.events$.subscribe((event) => {
      if (event.type === 'unacknowledged') back.add(event.messages);
    });
    const client = await connect(app);
    const socket: WebSocket = await app.gateway(Feed).socket();
    const outcomes = await Promise.all(
      Array.from({ length: MESSAGES }, (_, n) =>
        app.service.send(socket, `message ${n}`, { acknowledge: true }),
      ),
    );
    expect(outcomes).toEqual(Array.from({ length: MESSAGES }, () => ({ status: 'acknowledged' })));
    expect(await app.service.acknowledged(socket)).toBe(true);
    await client.messages.reached(MESSAGES, `message read by ${name}`);
    expect(client.messages.all).toEqual(Array.from({ length: MESSAGES }, (_, n) => `message ${n}`));

    client.freeze?.();
    const late = Array.from({ length: 10 }, (_, n) =>
      app.service.send(socket, `late ${n}`, { acknowledge: true }),
    );
    await client.vanish();
    const settled = await Promise.all(late);
    const unread = settled.filter(({ status }) => status !== 'acknowledged').length;
    if (client.freeze) expect(unread).toBe(10);
    const messages = unread === 0 ? [] : await back.at(0, 'messages handed back');
    expect(messages.map(({ data }) => data)).toEqual(
      Array.from({ length: unread }, (_, n) => `late ${10 - unread + n}`),
    );
  });
}
