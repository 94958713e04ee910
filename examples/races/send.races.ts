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

export const sendRaces: readonly Race[] = [
  {
    name: `${MESSAGES} × 64 KiB, close(), reader of 4 MiB/s`,
    options: { close: { flushTimeout: CLOSE_TIMEOUT_MS, handshakeTimeout: CLOSE_TIMEOUT_MS } },
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
    options: { send: { acknowledge: true } },
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
