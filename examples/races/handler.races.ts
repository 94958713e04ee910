import { setTimeout as sleep } from 'node:timers/promises';
import { RaceClient, StubbornClient, until } from './race.client.js';
import type { Race } from './race.types.js';

const MESSAGES = 100;
const AUTHENTICATION_MS = 200;

const REQUESTS = 10;
const INCREMENTS = 200;
const SERIAL = { handlers: { order: 'serial' } } as const;

export const handlerRaces: readonly Race[] = [
  {
    name: `${REQUESTS} requests, replies of async handlers`,
    options: SERIAL,
    run: async ({ url }) => {
      const client = await RaceClient.connect(url);
      client.ask('turns', REQUESTS);
      await until(() => client.received === REQUESTS);
      const inPlace = client.numbers.filter((number, index) => number === index).length;
      return `${inPlace}/${REQUESTS} replies in their place`;
    },
  },
  {
    name: `${INCREMENTS} handlers that read, await and write`,
    options: SERIAL,
    run: async ({ url, gateway }) => {
      const client = await RaceClient.connect(url);
      client.ask('add', INCREMENTS);
      await until(() => client.received === INCREMENTS);
      return `${gateway.sum}/${INCREMENTS} writes kept`;
    },
  },
  {
    name: `${MESSAGES} messages while handleConnection runs`,
    run: async ({ url, gateway }) => {
      let early = 0;
      gateway.admit = async () => {
        await sleep(AUTHENTICATION_MS);
        early = gateway.started;
      };
      const client = await RaceClient.connect(url);
      client.ask('quick', MESSAGES);
      await until(() => client.received === MESSAGES);
      await sleep(AUTHENTICATION_MS);
      return `${early}/${MESSAGES} run too early`;
    },
  },
  {
    name: `${MESSAGES} messages, then rejected with 4401`,
    run: async ({ url, gateway }) => {
      gateway.admit = async (client) => {
        await sleep(AUTHENTICATION_MS);
        client.close(4401);
      };
      const client = await RaceClient.connect(url);
      client.ask('quick', MESSAGES);
      await client.closed;
      return `${gateway.started}/${MESSAGES} handlers run`;
    },
  },
  {
    name: `${MESSAGES} messages, client ignores being closed`,
    run: async ({ url, gateway }) => {
      const client = await StubbornClient.connect(url);
      await until(() => gateway.clients.length > 0);
      gateway.client.close(4003);
      await sleep(50);
      client.ask('quick', MESSAGES);
      await sleep(200);
      client.leave();
      return `${gateway.started}/${MESSAGES} handlers run`;
    },
  },
];
