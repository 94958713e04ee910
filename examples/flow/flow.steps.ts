import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import {
  SafeCloseModule,
  SafeCloseService,
  type Connection,
  type SafeCloseOptions,
  type SendOutcome,
} from 'nestjs-safe-close';
import { WebSocket } from 'ws';
import { FeedGateway } from './feed.gateway.js';

const MESSAGE = 'x'.repeat(64 * 1024);
const MESSAGES = 256;

interface Step {
  readonly name: string;
  readonly options?: SafeCloseOptions;
  /** What happened, in a few words with measured figures. */
  readonly run: (
    client: WebSocket,
    connection: Connection,
    app: INestApplication,
  ) => Promise<string>;
}

function count(outcomes: readonly SendOutcome[]): string {
  const counts = new Map<string, number>();
  for (const { status } of outcomes) counts.set(status, (counts.get(status) ?? 0) + 1);
  return Array.from(counts, ([status, number]) => `${number} ${status}`).join(', ');
}

function received(client: WebSocket, messages: number): Promise<void> {
  return new Promise((resolve) => {
    let left = messages;
    client.on('message', () => void (--left === 0 && resolve()));
  });
}

/** 16 MiB to a reader that does not read for now. */
const FLOODS = (['close', 'refuse', 'drop-oldest', 'wait'] as const).map((overflow): Step => ({
  name: `${MESSAGES} × 64 KiB to a reader that has stopped, overflow: '${overflow}'`,
  options: { send: { overflow }, close: { flushTimeout: 500 } },
  run: async (client, connection) => {
    client.pause();
    const sends = Array.from({ length: MESSAGES }, () => connection.send(MESSAGE));
    const { bufferedAmount } = connection;
    client.resume();
    if (overflow !== 'close') void connection.close(1000);
    const { code } = await connection.closed;
    const held = (bufferedAmount / 1024 / 1024).toFixed(1);
    return `${count(await Promise.all(sends))}; ${held} MiB held; code ${code}`;
  },
}));

export const STEPS: readonly Step[] = [
  ...FLOODS,
  {
    name: '64 MiB of an async generator',
    run: async (client, connection) => {
      const parts = 1_024;
      let most = 0;
      client.on('message', () => (most = Math.max(most, connection.bufferedAmount)));
      const all = received(client, parts);
      client.send(JSON.stringify({ event: 'export', data: parts }));
      await all;
      return `${parts} parts arrive; at most ${(most / 1024).toFixed(0)} KiB held`;
    },
  },
  {
    name: '200 handlers that read, await and write',
    run: async (client, _connection, app) => {
      const all = received(client, 200);
      for (let n = 0; n < 200; n++) client.send('{"event":"add"}');
      await all;
      return `the balance is ${app.get(FeedGateway).balance}`;
    },
  },
  {
    name: '10 messages, acknowledged by the stack of a client',
    run: async (_client, connection) => {
      const sends = Array.from({ length: 10 }, (_, n) =>
        connection.emit('n', n, { acknowledge: true }),
      );
      return count(await Promise.all(sends));
    },
  },
];

@Module({})
class FlowModule {}

/** Runs one step in an app of its own. */
export async function take({ options = {}, run }: Step): Promise<string> {
  const module = {
    module: FlowModule,
    imports: [SafeCloseModule.forRoot(options)],
    providers: [FeedGateway],
  };
  const app = await NestFactory.create(module, { logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(client, 'open');
  const [connection] = app.get(SafeCloseService).connections;
  try {
    return await run(client, connection!, app);
  } finally {
    await app.close();
  }
}
