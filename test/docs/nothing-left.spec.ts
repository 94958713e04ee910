import { expect, test } from '@jest/globals';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { interval, map, type Observable } from 'rxjs';
import { SafeCloseModule, type Connection, type SafeCloseService } from '../../src/index.js';
import { nextMacrotask } from '../support/waiting.js';
import { boot, type Booted } from './booting.js';
import { DocsClient } from './client.js';

@WebSocketGateway()
class BusyGateway {
  async handleConnection(): Promise<void> {}

  @SubscribeMessage('echo')
  async echo(@MessageBody() data: unknown): Promise<unknown> {
    return { event: 'echo', data };
  }

  @SubscribeMessage('never')
  never(): Promise<never> {
    return new Promise(() => {});
  }

  @SubscribeMessage('stream')
  stream(): Observable<unknown> {
    return interval(60_000).pipe(map((data) => ({ event: 'value', data })));
  }
}

type Ending = (connection: Connection, client: DocsClient, service: SafeCloseService) => unknown;

const ENDINGS: readonly [name: string, Ending][] = [
  ['the server closes', (connection) => void connection.close(4000)],
  [
    'the server closes, and lets handlers finish that never do',
    ({ id }, _client, service) =>
      void service.close(id, 1000, '', { handlers: 'finish' }).then(() => service.report()),
  ],
  ['the client closes', (_connection, { socket }) => socket.close()],
  ['the server terminates', (connection) => void connection.terminate()],
  ['the client is cut off', (_connection, { socket }) => socket.terminate()],
];

/** Opens a connection, uses it, ends it, and keeps no more than weak references to it. */
async function use({ url, service }: Booted, end: Ending): Promise<WeakRef<object>[]> {
  const client = await DocsClient.connect(url);
  client.emit('echo', 1);
  client.emit('never');
  client.emit('stream');
  expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
  const [connection] = service.connections;
  await connection!.emit('hello', undefined, { acknowledge: true });
  const { signal, closed } = connection!;
  end(connection!, client, service);
  await Promise.all([closed, client.closed()]);
  return [new WeakRef(connection!), new WeakRef(signal), new WeakRef(connection!.data)];
}

async function collected(references: readonly WeakRef<object>[]): Promise<boolean> {
  for (let round = 0; round < 50; round++) {
    if (references.every((reference) => reference.deref() === undefined)) return true;
    // A reference stays alive for the turn in which it was looked at.
    // oxlint-disable-next-line no-await-in-loop
    await nextMacrotask();
    globalThis.gc!();
  }
  return false;
}

/** Nest itself remembers the client of the last connection and of the last disconnection. */
async function beForgotten({ url, service }: Booted): Promise<void> {
  const last = await DocsClient.connect(url);
  const { closed } = [...service.connections].at(-1)!;
  last.socket.close();
  await closed;
}

test.each(ENDINGS)('nothing is left of a connection after %s', async (_name, end) => {
  const booted = await boot({
    imports: [SafeCloseModule.forRoot({ handlers: { settleTimeout: 50 } })],
    providers: [BusyGateway],
  });
  const references = await use(booted, end);
  await beForgotten(booted);
  expect(await collected(references)).toBe(true);
});

/** Two that get the same broadcasts, of which one stays. */
async function leave({ url, service }: Booted): Promise<[DocsClient, WeakRef<object>[]]> {
  const stays = await DocsClient.connect(url);
  const leaves = await DocsClient.connect(url);
  const [, connection] = service.connections;
  await Promise.all([1, 2, 3].map((data) => service.broadcast({}, 'all', data)));
  const { closed } = connection!;
  leaves.socket.close();
  await Promise.all([closed, leaves.closed()]);
  return [stays, [new WeakRef(connection!)]];
}

test('nothing is left of a connection in another that got the same broadcasts', async () => {
  const booted = await boot({
    imports: [SafeCloseModule.forRoot({})],
    providers: [BusyGateway],
  });
  const [stays, references] = await leave(booted);
  await beForgotten(booted);
  expect(await collected(references)).toBe(true);
  expect(stays.socket.readyState).toBe(stays.socket.OPEN);
});
