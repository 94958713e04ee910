import { setTimeout as sleep } from 'node:timers/promises';
import type { SafeCloseService } from 'nestjs-safe-close';
import { RaceClient, until } from './race.client.js';
import { CLOSE_TIMEOUT_MS } from './race.gateway.js';
import type { Race } from './race.types.js';

const MESSAGES = 200;
const MESSAGE = Buffer.alloc(64 * 1024);
const BYTES_PER_SECOND = 4 * 1024 * 1024;
const READ_BEFORE_DEATH = 20;
const LATE_SENDS = 100;
const FLOOD = 8_000;
const LISTENERS = 200;
const MIB = 1024 * 1024;

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export const sendRaces: readonly Race[] = [
  {
    name: `${MESSAGES} × 64 KiB, close(), reader of 4 MiB/s`,
    options: {
      send: { maxBuffered: Infinity },
      close: { flushTimeout: CLOSE_TIMEOUT_MS, handshakeTimeout: CLOSE_TIMEOUT_MS },
    },
    run: async ({ url, gateway }) => {
      const client = await RaceClient.connect(url);
      client.readSlowly(BYTES_PER_SECOND);
      for (let i = 0; i < MESSAGES; i++) gateway.client.send(MESSAGE);
      gateway.client.close(1000);
      const code = await client.closed;
      return `${client.received}/${MESSAGES} arrive, code ${code}`;
    },
  },
  {
    name: `reader dies after ${READ_BEFORE_DEATH} of ${MESSAGES} messages`,
    options: { send: { acknowledge: true, maxBuffered: Infinity } },
    run: async ({ url, gateway, safeClose }) => {
      const client = await RaceClient.connect(url);
      const server = gateway.client;
      client.socket.on('message', () => {
        if (client.received === READ_BEFORE_DEATH) client.socket.pause();
      });
      let good = 0;
      const sendSafely = async (service: SafeCloseService): Promise<void> => {
        const { status } = await service.send(server, MESSAGE);
        if (status === 'acknowledged') good++;
      };
      for (let i = 0; i < MESSAGES; i++) {
        if (safeClose) void sendSafely(safeClose);
        else server.send(MESSAGE, (error) => void (error ?? good++));
      }
      await until(() => client.received >= READ_BEFORE_DEATH);
      await sleep(100);
      client.socket.terminate();
      await sleep(100);
      return `${good} told good, ${client.received} arrive`;
    },
  },
  {
    name: `${FLOOD.toLocaleString('en')} × 64 KiB to a reader that has stopped`,
    run: async ({ url, gateway }) => {
      const client = await RaceClient.connect(url);
      client.socket.pause();
      const server = gateway.client;
      for (let i = 0; i < FLOOD; i++) {
        server.send(MESSAGE);
        if (i % 100 === 0) await turn();
      }
      const held = server.bufferedAmount / MIB;
      client.socket.terminate();
      return `${held.toFixed(1)} MiB held`;
    },
  },
  {
    name: `broadcast to ${LISTENERS} clients, half are leaving`,
    run: async ({ url, gateway, safeClose }) => {
      const clients: RaceClient[] = [];
      for (let i = 0; i < LISTENERS; i++) clients.push(await RaceClient.connect(url));
      const servers = [...gateway.clients];
      for (const server of servers.slice(0, LISTENERS / 2)) server.close();
      // The loop that everybody writes knows of no failure, unless it looks before each send.
      const loop = (): number => servers.map((server) => server.send('news')).length;
      const written = safeClose ? (await safeClose.broadcast({}, 'news')).written : loop();
      const arrived = (): number => clients.filter(({ received }) => received === 1).length;
      await until(() => arrived() >= LISTENERS / 2);
      await sleep(100);
      return `${written} believed, ${arrived()} arrive`;
    },
  },
  {
    name: `${LATE_SENDS} sends after close()`,
    run: async ({ url, gateway, safeClose, logger }) => {
      const client = await RaceClient.connect(url);
      const server = gateway.client;
      server.close();
      await client.closed;
      const before = logger.lines;
      let thrown = 0;
      for (let i = 0; i < LATE_SENDS; i++) {
        try {
          server.send('late');
        } catch {
          thrown++;
        }
      }
      const told = safeClose
        ? safeClose.report().races['send-after-close']
        : logger.lines - before + thrown;
      return `${told}/${LATE_SENDS} told, ${server.bufferedAmount} bytes stuck`;
    },
  },
];
