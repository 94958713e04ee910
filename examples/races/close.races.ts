import { once } from 'node:events';
import { RaceClient } from './race.client.js';
import type { Race } from './race.types.js';

const ROUNDS = 50;
const ROUTINE = 1000;
const SEVERE = 1008;

export const closeRaces: readonly Race[] = [
  {
    name: `two parties: close(${ROUTINE}), close(${SEVERE})`,
    run: async ({ url, gateway }) => {
      let severe = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const client = await RaceClient.connect(url);
        gateway.client.close(ROUTINE);
        gateway.client.close(SEVERE);
        if ((await client.closed) === SEVERE) severe++;
      }
      return `${severe}/${ROUNDS} end with ${SEVERE}`;
    },
  },
  {
    name: 'both sides close at once',
    run: async ({ url, gateway, safeClose }) => {
      let agreed = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const client = await RaceClient.connect(url);
        const server = gateway.client;
        const outcome = safeClose?.connection(server)?.closed;
        const closed = once(server, 'close');
        server.close(4000);
        client.socket.close(3000);
        const seenByClient = await client.closed;
        const [reported] = (await closed) as [number];
        const seenByServer = (await outcome)?.code ?? reported;
        if (seenByServer === seenByClient) agreed++;
      }
      return `${agreed}/${ROUNDS} agree on the code`;
    },
  },
];
