import { describe, expect, test } from '@jest/globals';
import { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { connect, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import type { SafeCloseOptions } from '../../src/index.js';
import { connectionLimits, type LimitsOptions } from '../../src/nest/connection.limits.js';
import { afterTest } from '../support/cleanup.js';
import { deferred, Tally, within } from '../support/waiting.js';
import { PLACES, serve, SHARED } from './upgrades.js';

/** What became of a client's attempt: `101`, or the status of the refusal with its Retry-After. */
interface Attempt {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  readonly socket: WebSocket;
}

function attempt(url: string, options: object = {}): Promise<Attempt> {
  const socket = new WebSocket(url, options);
  afterTest(() => socket.terminate());
  return within(
    new Promise<Attempt>((resolve) => {
      socket.on('error', () => {});
      socket.on('open', () => resolve({ status: 101, socket }));
      socket.on('unexpected-response', (_request, { statusCode, headers }) => {
        resolve({ status: statusCode!, retryAfter: headers['retry-after'], socket });
      });
    }),
    'an answer to the upgrade',
  );
}

async function statuses(attempts: Promise<Attempt>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { status } of await Promise.all(attempts)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe.each(PLACES)('Connections on $place', (place) => {
  test('are taken up to the limit; one that leaves makes room for another', async () => {
    const { at, service } = await serve(place, { limits: { maxConnections: 3 } });
    const first = await Promise.all(Array.from({ length: 5 }, () => attempt(at)));
    const open = first.filter(({ status }) => status === 101);
    const refused = first.filter(({ status }) => status === 503);
    expect([open.length, refused.length]).toEqual([3, 2]);
    expect(refused[0]!.retryAfter).toBe('5');
    expect(service.report().races['upgrade-refused']).toBe(2);
    const [connection] = service.connections;
    open[0]!.socket.close();
    await within(connection!.closed, 'the end of a connection');
    expect((await attempt(at)).status).toBe(101);
    expect((await attempt(at)).status).toBe(503);
  });

  test('are taken up to the limit of each address', async () => {
    const { at } = await serve(place, { limits: { maxConnectionsPerIp: 2 } });
    const from = (localAddress: string): Promise<Attempt>[] =>
      Array.from({ length: 3 }, () => attempt(at, { localAddress }));
    expect(await statuses(from('127.0.0.1'))).toEqual({ 101: 2, 429: 1 });
    expect(await statuses(from('127.0.0.2'))).toEqual({ 101: 2, 429: 1 });
    expect(await attempt(at, { localAddress: '127.0.0.2' })).toMatchObject({
      status: 429,
      retryAfter: '5',
    });
  });
});

test('The address is the one that a trusted proxy tells', async () => {
  const options = { trustProxy: true, limits: { maxConnectionsPerIp: 1 } };
  const { at } = await serve(SHARED, options);
  const by = (address: string): Promise<Attempt> =>
    attempt(at, { headers: { 'x-forwarded-for': address } });
  expect((await by('203.0.113.1')).status).toBe(101);
  expect((await by('203.0.113.1')).status).toBe(429);
  expect((await by('203.0.113.2')).status).toBe(101);
});

test('Those that wait for authorize hold a place; those that are refused do not', async () => {
  const gate = deferred();
  const asked = new Tally();
  let verdict = false;
  const options: SafeCloseOptions = {
    limits: { maxConnections: 10 },
    authorize: async () => {
      asked.add();
      await gate.promise;
      return verdict;
    },
  };
  const { at, service } = await serve(SHARED, options);
  const many = Array.from({ length: 200 }, () => attempt(at));
  const refused = new Tally();
  for (const one of many) void one.then(({ status }) => status === 503 && refused.add());
  await refused.reached(190, 'upgrade refused');
  gate.resolve();
  expect(await statuses(many)).toEqual({ 401: 10, 503: 190 });
  expect(asked.count).toBe(10);
  verdict = true;
  expect(await statuses(Array.from({ length: 10 }, () => attempt(at)))).toEqual({ 101: 10 });
  expect(service.connections.size).toBe(10);
});

test('A client that breaks off the handshake leaves its place', async () => {
  const { at } = await serve(SHARED, { limits: { maxConnections: 1 } });
  const { port } = new URL(at);
  const client = connect(Number(port), '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  expect(await within(text(client), 'an answer')).toContain(' 400 ');
  expect((await attempt(at)).status).toBe(101);
});

const request = new IncomingMessage(new Socket());
const socket = (): Duplex => new Duplex({ read() {}, write() {} });
const limits = (options: LimitsOptions) => connectionLimits(options, () => '192.0.2.1');

describe('The places', () => {
  test('are not counted where nothing is limited', () => {
    expect(limits({})).toBeUndefined();
    expect(connectionLimits(undefined, () => '')).toBeUndefined();
  });

  test('are free again once a socket has closed, and only once', async () => {
    const places = limits({ maxConnectionsPerIp: 2 })!;
    const [one, two] = [socket(), socket()];
    expect(places.take(request, one)).toBeUndefined();
    expect(places.take(request, two)).toBeUndefined();
    expect(places.take(request, socket())).toMatchObject({ status: 429 });
    expect(places.addresses).toBe(1);
    for (const open of [one, two]) {
      const closed = new Promise((resolve) => void open.once('close', resolve));
      open.destroy();
      // oxlint-disable-next-line no-await-in-loop
      await closed;
      open.emit('close');
    }
    expect(places.addresses).toBe(0);
  });

  test('are not taken by a socket that has gone', () => {
    const places = limits({ maxConnections: 1 })!;
    const gone = socket();
    gone.destroy();
    expect(places.take(request, gone)).toBeUndefined();
    expect(places.addresses).toBe(0);
    expect(places.take(request, socket())).toBeUndefined();
    expect(places.take(request, socket())).toMatchObject({ status: 503 });
  });
});
