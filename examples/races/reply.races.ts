import { setTimeout as sleep } from 'node:timers/promises';
import { RaceClient, until } from './race.client.js';
import type { Race } from './race.types.js';

const REQUESTS = 100;
const QUICK_REQUESTS = 10;
const OBSERVED_MS = 500;

export const replyRaces: readonly Race[] = [
  {
    name: `server closes, ${REQUESTS} handlers run`,
    options: { close: { handlers: 'finish' } },
    run: async ({ url, gateway }) => {
      const finishWork = gateway.holdWork();
      const client = await RaceClient.connect(url);
      client.ask('slow', REQUESTS);
      await until(() => gateway.started === REQUESTS);
      gateway.client.close(1000);
      finishWork();
      await client.closed;
      return `${client.received}/${REQUESTS} replies`;
    },
  },
  {
    name: `client leaves, ${REQUESTS} handlers run`,
    run: async ({ url, gateway, safeClose, logger }) => {
      const finishWork = gateway.holdWork();
      const client = await RaceClient.connect(url);
      client.ask('slow', REQUESTS);
      await until(() => gateway.started === REQUESTS);
      const before = logger.lines;
      client.socket.close();
      await client.closed;
      finishWork();
      await sleep(50);
      const told = safeClose ? safeClose.report().refusedReplies : logger.lines - before;
      return `${told}/${REQUESTS} lost replies told`;
    },
  },
  {
    name: `client sends ${QUICK_REQUESTS} requests and closes in one tick`,
    run: async ({ url }) => {
      const client = await RaceClient.connect(url);
      client.ask('quick', QUICK_REQUESTS);
      client.socket.close();
      await client.closed;
      return `${client.received}/${QUICK_REQUESTS} replies`;
    },
  },
  {
    name: `Observable, ${OBSERVED_MS} ms after close(), silent client`,
    run: async ({ url, gateway }) => {
      const client = await RaceClient.connect(url);
      client.ask('stream');
      await until(() => client.received > 0);
      client.socket.pause();
      gateway.client.close();
      const before = gateway.produced;
      await sleep(OBSERVED_MS);
      const after = gateway.produced - before;
      client.socket.terminate();
      return `${after} values for nobody`;
    },
  },
];
