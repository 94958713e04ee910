import { describe, expect, test } from '@jest/globals';
import type { IncomingMessage, Server } from 'node:http';
import { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { PendingUpgrade } from '../../src/nest/pending-upgrade.js';
import { UpgradeGate, type UpgradeGateParts } from '../../src/nest/upgrade-gate.js';
import { afterTest } from '../support/cleanup.js';
import { frame, Opcode } from '../support/clients/frames.js';
import { RawPeer } from '../support/clients/raw.peer.js';
import { WsClient } from '../support/clients/ws.client.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { deferred, nextMacrotask, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { freePort, host } from './hosting.js';
import { gone, knock, PLACES, serve, SHARED, starting, statusOf, stubborn } from './upgrades.js';

function said(data: number): Buffer {
  return frame(Opcode.text, JSON.stringify({ event: 'echo', data }));
}

/** A gate on its own, on a clock that the test moves. */
function gateOf(parts: Partial<UpgradeGateParts>): {
  gate: UpgradeGate;
  clock: ManualClock;
  told: string[];
} {
  const clock = new ManualClock();
  const told: string[] = [];
  const gate = new UpgradeGate({
    clock,
    retryAfter: 5_000,
    authorize: undefined,
    allowedOrigins: undefined,
    tell: (race, { message }) => told.push(`${race}: ${message}`),
    ...parts,
  });
  return { gate, clock, told };
}

/** An upgrade that may wait 10 s. */
function upgradeOf(pass = (): void => {}): {
  upgrade: PendingUpgrade;
  passed: Tally;
  socket: FakeSocket;
} {
  const passed = new Tally();
  const socket = new FakeSocket();
  const request = { headers: {} } as IncomingMessage;
  const upgrade = new PendingUpgrade(request, socket, 10_000, () => {
    passed.add();
    pass();
  });
  return { upgrade, passed, socket };
}

class FakeSocket extends Duplex {
  answer = '';

  get listenersNow(): number {
    return ['error', 'end', 'close'].reduce((sum, name) => sum + this.listenerCount(name), 0);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.answer += chunk.toString();
    done();
  }
}

describe('The gate', () => {
  test('With nothing to wait for, an upgrade passes in the turn in which it came', () => {
    for (const parts of [{}, { authorize: () => true, allowedOrigins: [] }]) {
      const { gate, clock } = gateOf(parts);
      const { upgrade, passed, socket } = upgradeOf();
      const before = socket.listenersNow;
      gate.release();
      gate.enter(upgrade);
      expect(passed.count).toBe(1);
      expect(socket.listenersNow).toBe(before);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  test('Those who wait to the end of their time get 503, others pass after them', () => {
    const { gate, clock, told } = gateOf({});
    const early = upgradeOf();
    const late = upgradeOf();
    const before = early.socket.listenersNow;
    gate.enter(early.upgrade);
    clock.advance(6_000);
    gate.enter(late.upgrade);
    clock.advance(3_999);
    expect(early.socket.answer).toBe('');
    clock.advance(1);
    expect(early.socket.answer).toMatch(/^HTTP\/1\.1 503 .*\r\n(.+\r\n)*Retry-After: 5\r\n/);
    gate.release();
    expect([early.passed.count, late.passed.count]).toEqual([0, 1]);
    expect(late.socket.answer).toBe('');
    expect(late.socket.listenersNow).toBe(before);
    expect(clock.pendingTimers).toBe(0);
    expect(told).toEqual([
      'upgrade-refused: An upgrade was refused with 503: ' +
        'the app was not up within 10000 ms (connect.timeout).',
    ]);
  });

  test('A drain before the app is up refuses who waits, and release() then changes nothing', () => {
    const { gate, clock } = gateOf({});
    const first = upgradeOf();
    gate.enter(first.upgrade);
    gate.refuse();
    gate.release();
    const second = upgradeOf();
    gate.enter(second.upgrade);
    for (const { socket, passed } of [first, second]) {
      expect(socket.answer).toMatch(/^HTTP\/1\.1 503 /);
      expect(passed.count).toBe(0);
    }
    expect(clock.pendingTimers).toBe(0);
  });

  test('A drain begun by one that passes refuses those behind it', () => {
    const { gate } = gateOf({});
    const first = upgradeOf(() => gate.refuse());
    const second = upgradeOf();
    gate.enter(first.upgrade);
    gate.enter(second.upgrade);
    gate.release();
    expect(first.passed.count).toBe(1);
    expect(second.passed.count).toBe(0);
    expect(second.socket.answer).toMatch(/^HTTP\/1\.1 503 /);
  });

  test.each([
    ['at once', true, false],
    ['later', Promise.resolve(true), false],
    ['at once, held before', true, true],
    ['later, held before', Promise.resolve(true), true],
  ])('A drain begun inside authorize refuses the one passed %s', async (_when, verdict, held) => {
    const { gate, clock } = gateOf({
      authorize: () => {
        gate.refuse();
        return verdict;
      },
    });
    const { upgrade, passed, socket } = upgradeOf();
    if (!held) gate.release();
    gate.enter(upgrade);
    gate.release();
    expect(clock.pendingTimers).toBe(held || verdict === true ? 0 : 1);
    await nextMacrotask();
    expect(passed.count).toBe(0);
    expect(socket.answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(clock.pendingTimers).toBe(0);
  });

  test('One that was held and then asked about passes as it came', async () => {
    const { gate, clock } = gateOf({ authorize: () => Promise.resolve(true) });
    const { upgrade, passed, socket } = upgradeOf();
    const before = socket.listenersNow;
    gate.enter(upgrade);
    gate.release();
    expect(clock.pendingTimers).toBe(1);
    await nextMacrotask();
    expect(passed.count).toBe(1);
    expect(socket.listenersNow).toBe(before);
    expect(clock.pendingTimers).toBe(0);
  });

  test('One that was held is asked about once, and waits no longer than its time in all', async () => {
    const verdict = deferred<boolean>();
    let asked = 0;
    const { gate, clock, told } = gateOf({
      authorize: () => {
        asked++;
        return verdict.promise;
      },
    });
    const { upgrade, passed, socket } = upgradeOf();
    gate.enter(upgrade);
    clock.advance(9_000);
    gate.release();
    gate.release();
    expect(asked).toBe(1);
    clock.advance(1_000);
    expect(socket.answer).toMatch(/^HTTP\/1\.1 503 /);
    verdict.resolve(true);
    await nextMacrotask();
    expect(passed.count).toBe(0);
    expect(told).toEqual([
      'authorize-failure: authorize did not settle within 10000 ms (connect.timeout).',
      'upgrade-refused: An upgrade was refused with 503: authorize did not settle.',
    ]);
  });

  test('What throws when those who waited pass harms no other, and nobody else', async () => {
    const { gate, told } = gateOf({});
    const first = upgradeOf(() => {
      throw new Error('a listener');
    });
    const second = upgradeOf();
    gate.enter(first.upgrade);
    gate.enter(second.upgrade);
    gate.release();
    expect(first.socket.destroyed).toBe(true);
    expect(second.passed.count).toBe(1);
    expect(told).toEqual(['listener-error: A listener of a new connection threw.']);
    await nextMacrotask();
  });

  test('A socket that fails while it waits is forgotten', async () => {
    let asked = 0;
    const { gate, clock, told } = gateOf({ authorize: () => ++asked > 0 });
    const { upgrade, passed, socket } = upgradeOf();
    gate.enter(upgrade);
    socket.destroy(new Error('ECONNRESET'));
    await nextMacrotask();
    expect(clock.pendingTimers).toBe(0);
    gate.release();
    expect(passed.count).toBe(0);
    expect(asked).toBe(0);
    expect(told).toEqual([]);
  });

  test('A client that ends its side while it waits is let go', async () => {
    const { gate, clock } = gateOf({});
    const { upgrade, passed, socket } = upgradeOf();
    gate.enter(upgrade);
    socket.push(null);
    socket.read(0);
    await nextMacrotask();
    expect(socket.destroyed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
    gate.release();
    expect(passed.count).toBe(0);
  });
});

describe.each(PLACES)('On $place', (place) => {
  test('upgrades pass, and are refused with 503 and Retry-After while the server drains', async () => {
    const served = await serve(place, { shutdown: { retryAfter: 2_001 } });
    const client = await WsClient.connect(served.at);
    await served.service.drain();
    expect(await client.closed()).toMatchObject({ code: 1001 });
    const { status, headers, body } = await knock(served.at).answer;
    expect(status).toBe(503);
    expect(headers).toMatchObject({
      'retry-after': '3',
      connection: 'close',
      'content-type': 'text/plain',
      'content-length': String(body.length),
    });
    expect(body).toBe('Service Unavailable');
    expect(served.service.report().races['upgrade-refused']).toBe(1);
    expect(served.logs.matching('debug', 'refused with 503: the server drains')).toHaveLength(1);
    expect(served.service.report().connections.opened).toBe(1);
    expect(served.gateway.server).toBeInstanceOf(WebSocketServer);
  });

  test('a flood of refused upgrades leaves no socket open', async () => {
    const served = await serve(place);
    await served.service.drain();
    const answers = await Promise.all(Array.from({ length: 200 }, () => stubborn(served.at)));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(served.gateway.asked.count).toBe(200);
    await Promise.all(served.gateway.asked.all.map(({ socket }) => gone(socket)));
    expect(served.service.report().races['upgrade-refused']).toBe(200);
    await within(served.app.close(), 'the app to close');
  });

  test('authorize decides before the upgrade', async () => {
    const served = await serve(place, {
      authorize: ({ headers }) => headers['x-key'] === 'right' || { status: 403 },
    });
    expect(await statusOf(served.at)).toBe(403);
    expect(await statusOf(served.at, { 'x-key': 'wrong' })).toBe(403);
    expect(await statusOf(served.at, { 'x-key': 'right' })).toBe(101);
    expect(served.gateway.arrivals.count).toBe(1);
  });

  test('origins are checked before authorize is asked', async () => {
    const asked: unknown[] = [];
    const served = await serve(place, {
      allowedOrigins: ['https://app.example', /^https:\/\/[a-z]+\.app\.example$/g],
      authorize: ({ headers }) => asked.push(headers.origin) > 0,
    });
    const from = (origin: string): Promise<number> => statusOf(served.at, { origin });
    expect(await from('https://app.example')).toBe(101);
    expect(await from('https://a.app.example')).toBe(101);
    expect(await from('https://b.app.example')).toBe(101);
    expect(await from('https://evil.example')).toBe(403);
    expect(await from('null')).toBe(403);
    expect(await statusOf(served.at)).toBe(101);
    expect(asked).toEqual([
      'https://app.example',
      'https://a.app.example',
      'https://b.app.example',
      undefined,
    ]);
    expect(served.service.report().races['upgrade-refused']).toBe(2);
    expect(served.logs.matching('debug', 'origin https://evil.example')).toHaveLength(1);
  });

  test('the address of the client is the socket’s, whatever a client claims', async () => {
    const served = await serve(place);
    await knock(served.at, { 'x-forwarded-for': '203.0.113.1' }).answer;
    const [connection] = [...served.service.connections];
    expect(connection!.request.ip).toBe('127.0.0.1');
  });

  test('the address of the client is what trusted proxies say', async () => {
    const served = await serve(place, { trustProxy: ['loopback', '10.0.0.0/8'] });
    await knock(served.at, { 'x-forwarded-for': '6.6.6.6, 203.0.113.1, 10.1.2.3' }).answer;
    const [connection] = [...served.service.connections];
    expect(connection!.request.ip).toBe('203.0.113.1');
  });
});

describe.each(PLACES.filter(({ own }) => own))('While the app starts, on $place', ({ path }) => {
  test('upgrades wait until onApplicationBootstrap has ended, and pass in order', async () => {
    const { at, gateway, up } = await starting(path);
    const opened = new Tally<number>();
    for (let index = 0; index < 5; index++) {
      knock(`${at}?${index}`).socket.on('open', () => opened.add(index));
      // oxlint-disable-next-line no-await-in-loop
      await gateway.asked.reached(index + 1, 'upgrade at the server');
    }
    await nextMacrotask();
    expect(opened.count).toBe(0);
    expect(gateway.arrivals.count).toBe(0);
    const hosted = await up();
    await opened.reached(5, 'client open');
    const urls = [...hosted.service.connections].map(({ request }) => request.url.slice(-2));
    expect(urls).toEqual(['?0', '?1', '?2', '?3', '?4']);
    const client = await WsClient.connect(at);
    client.emit('echo', 'after');
    expect(await client.message(0)).toEqual({ event: 'echo', data: 'after' });
  });

  test('an upgrade that waits longer than connect.timeout is refused with 503', async () => {
    const { at, up } = await starting(path, {
      connect: { timeout: 30 },
      shutdown: { retryAfter: 0 },
    });
    const { status, headers } = await knock(at).answer;
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('0');
    const hosted = await up();
    expect(await statusOf(at)).toBe(101);
    expect(hosted.logs.matching('debug', 'the app was not up within 30 ms')).toHaveLength(1);
  });

  test('what a client sends with its upgrade is not lost', async () => {
    const { at, gateway, up } = await starting(path);
    const joining = RawPeer.connect(at, { withUpgrade: [said(1), said(2)] });
    await gateway.asked.reached(1, 'upgrade at the server');
    await up();
    const peer = await joining;
    peer.send(said(3));
    await gateway.heard.reached(3, 'message');
    expect(gateway.heard.all).toEqual([1, 2, 3]);
  });

  test('a client that leaves is forgotten, and holds nobody up', async () => {
    const { at, gateway, service, up } = await starting(path);
    const { socket } = knock(at);
    const left = await gateway.asked.at(0, 'upgrade at the server');
    const { answer } = knock(at);
    await gateway.asked.reached(2, 'upgrade at the server');
    socket.terminate();
    await gone(left.socket);
    await up();
    expect((await answer).status).toBe(101);
    expect(service.report().connections.opened).toBe(1);
    expect(service.report().races['upgrade-refused']).toBe(0);
  });

  test('a drain refuses those who wait, and the app is not up for anybody then', async () => {
    const { at, gateway, service, up } = await starting(path);
    const { answer } = knock(at);
    await gateway.asked.reached(1, 'upgrade at the server');
    await service.drain();
    expect((await answer).status).toBe(503);
    await up();
    expect(await statusOf(at)).toBe(503);
    expect(service.report().connections.opened).toBe(0);
  });
});

test('Gateways of one app stand behind one gate, each at its own place', async () => {
  const port = await freePort();
  const gateways = [
    gatewayOf(Echo),
    gatewayOf(Echo),
    gatewayOf(Echo, 0, { path: '/a' }),
    gatewayOf(Echo, port, { path: '/a' }),
    gatewayOf(Echo, port, { path: '/b' }),
  ];
  const asked: (string | undefined)[] = [];
  const hosted = await host({
    providers: gateways,
    safeClose: { authorize: ({ url }) => asked.push(url) > 0 },
  });
  const places = [
    hosted.url('/'),
    hosted.url('/a'),
    hosted.url('/a', port),
    hosted.url('/b', port),
  ];
  const statuses = (): Promise<number[]> => Promise.all(places.map((place) => statusOf(place)));
  expect(await statuses()).toEqual([101, 101, 101, 101]);
  expect(asked.map(String).toSorted((a, b) => a.localeCompare(b))).toEqual(['/', '/a', '/a', '/b']);
  expect(await statusOf(hosted.url('/c', port))).toBe(404);
  await hosted.service.drain();
  expect(await statuses()).toEqual([503, 503, 503, 503]);
  expect(await statusOf(hosted.url('/c', port))).toBe(404);
  expect(asked).toHaveLength(4);
});

test('A path of another library is left alone: not asked about, and served during a drain', async () => {
  const asked: (string | undefined)[] = [];
  const served = await serve(SHARED, {
    allowedOrigins: [],
    authorize: ({ url }) => asked.push(url) > 0,
  });
  const theirs = new WebSocketServer({ noServer: true });
  theirs.on('connection', (socket) => socket.send('theirs'));
  (served.app.getHttpServer() as Server).on('upgrade', (request, socket, head) => {
    if (request.url !== '/graphql') return;
    theirs.handleUpgrade(request, socket, head, (client) => {
      theirs.emit('connection', client, request);
    });
  });
  afterTest(() => {
    for (const client of theirs.clients) client.terminate();
  });
  const url = served.url('/graphql');
  expect(await statusOf(url, { origin: 'https://evil.example' })).toBe(101);
  await served.service.drain();
  const client = await WsClient.connect(url);
  expect(await client.messages.at(0, 'message')).toBe('theirs');
  expect(await statusOf(served.at)).toBe(503);
  expect(asked).toEqual([]);
});

test('In mode observe the server is the stock one, and asks nobody', async () => {
  const served = await serve(SHARED, { mode: 'observe', trustProxy: 1 });
  expect(Object.getPrototypeOf(served.gateway.server)).toBe(WebSocketServer.prototype);
  expect(await statusOf(served.at, { 'x-forwarded-for': '203.0.113.1' })).toBe(101);
  const [connection] = [...served.service.connections];
  expect(connection!.request.ip).toBe('203.0.113.1');
});
