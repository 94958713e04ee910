import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { inApp, type RaceApp, type Stack } from './race.app.js';
import { RaceClient, until } from './race.client.js';

/** What ends the process of a stock app; each is met in a process of its own. */
const CRASHES: Readonly<Record<string, (app: RaceApp) => Promise<unknown>>> = {
  'close(1006) in a timer': async ({ url, gateway }) => {
    await RaceClient.connect(url);
    setTimeout(() => gateway.client.close(1006));
  },
  'close() with a reason of 124 bytes': async ({ url, gateway }) => {
    gateway.admit = async (client) => client.close(4000, 'é'.repeat(62));
    await RaceClient.connect(url);
  },
  'a handler returns a BigInt': async ({ url }) => {
    const client = await RaceClient.connect(url);
    client.ask('bigint');
  },
  'handleConnection rejects': async ({ url, gateway }) => {
    gateway.admit = async () => {
      throw new Error('the database is away');
    };
    await RaceClient.connect(url);
  },
  'handleDisconnect rejects': async ({ url, gateway }) => {
    gateway.leave = async () => {
      throw new Error('the database is away');
    };
    const client = await RaceClient.connect(url);
    client.socket.close();
    await client.closed;
  },
};

export const CRASH_NAMES = Object.keys(CRASHES);

/** Has the crash happen in a child process, and says what became of that. */
export async function crashInChild(stack: Stack, name: string): Promise<string> {
  const child = fork(process.argv[1]!, [stack, name], { silent: true });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return code === 0 ? 'the server goes on' : `process exit ${code ?? signal}`;
}

/** Runs in the child: causes the crash, and sees whether another client is still served. */
export async function crash(stack: Stack, name: string): Promise<void> {
  await inApp(stack, async (app) => {
    await CRASHES[name]!(app);
    await sleep(50);
    app.gateway.admit = () => undefined;
    const other = await RaceClient.connect(app.url);
    other.ask('quick');
    await until(() => other.received > 0);
    other.socket.close();
    await other.closed;
  });
}
