import { describe, expect, test } from '@jest/globals';
import { DrainedServer } from './drain.harness.js';
import { deferred } from './harness.js';

const GATEWAY = { name: 'Gateway' };

describe('a drain', () => {
  test('with nothing to end is over at once', async () => {
    const server = new DrainedServer();
    await expect(server.begin()).resolves.toEqual({
      connections: 0,
      clean: 0,
      crossed: 0,
      terminated: 0,
      lost: 0,
      repliesFlushed: 0,
      hooksAwaited: 0,
      hooksOverran: 0,
      deadlineHit: false,
      durationMs: 0,
      slowest: [],
    });
    expect(server.refused).toBe(true);
    expect(server.clock.pendingTimers).toBe(0);
  });

  test('closes all with its code and reason, in no more time than the handshakes take', async () => {
    const server = new DrainedServer();
    const clients = [server.connect(), server.connect()];
    void server.begin({ code: 1012, reason: 'new version' });
    await server.turn();
    for (const { peer } of clients) {
      expect(peer.closeFrame).toEqual({ code: 1012, reason: 'new version' });
    }
    expect(server.report).toMatchObject({ connections: 2, clean: 2, durationMs: 0 });
    expect(server.steps.at(-1)).toBe('drained');
    expect(server.clock.pendingTimers).toBe(0);
  });

  test('ends connections that are not ready yet', async () => {
    const server = new DrainedServer();
    const { owner, peer } = server.connect();
    owner.awaitReadiness();
    const ready = server.connect();
    ready.owner.awaitReadiness();
    ready.owner.sealReadiness();
    void server.begin();
    await server.turn();
    expect(peer.closeFrame?.code).toBe(1001);
    expect(server.report).toMatchObject({ connections: 2, clean: 2 });
  });

  test('is one, however often it is begun', () => {
    const server = new DrainedServer();
    expect(server.begin()).toBe(server.begin({ code: 4000 }));
  });

  test('lets handlers finish and reply, and starts none', async () => {
    const server = new DrainedServer();
    const { owner, peer } = server.connect();
    const started: string[] = [];
    const gate = deferred();
    owner.dispatchTo({
      dispatch: (data) => {
        started.push((data as Buffer).toString());
        owner.calls.run(() => gate.promise, undefined, 'work');
      },
    });
    peer.send('one');
    await server.turn();
    void server.begin();
    await server.turn();
    peer.send('two');
    await server.turn();
    expect(started).toEqual(['one']);
    gate.resolve({ done: true });
    await server.turn();
    expect(peer.messages.map(({ data }) => data.toString())).toEqual(['{"done":true}']);
    expect(server.report).toMatchObject({ clean: 1, repliesFlushed: 1, deadlineHit: false });
  });

  test('starts no handler of a connection that waits for its batch', async () => {
    const server = new DrainedServer();
    server.connect();
    const { owner, peer } = server.connect();
    const started: string[] = [];
    owner.dispatchTo({ dispatch: () => started.push('handler') });
    void server.begin({ batchSize: 1, batchInterval: 1_000 });
    peer.send('late');
    await server.turn();
    expect(owner.live).toBe(true);
    expect(started).toEqual([]);
    expect(server.told.met('message-while-draining')).toBe(1);
  });

  test('counts what was sent from its beginning on as flushed, and nothing before it', async () => {
    const server = new DrainedServer();
    const { owner } = server.connect();
    void owner.send('before');
    await server.turn();
    server.goodbye = (connection) => void connection.send('bye');
    void server.begin();
    await server.turn();
    expect(server.report!.repliesFlushed).toBe(1);
  });
});

describe('batches', () => {
  test('come one after the other, half of the interval more or less apart', async () => {
    const server = new DrainedServer();
    const clients = [1, 2, 3].map(() => server.connect());
    const live = (): number => clients.filter(({ owner }) => owner.live).length;
    server.random = 0;
    void server.begin({ batchSize: 1, batchInterval: 200 });
    await server.turn();
    expect(live()).toBe(2);
    await server.advance(99);
    expect(live()).toBe(2);
    server.random = 0.99;
    await server.advance(1);
    expect(live()).toBe(1);
    await server.advance(297);
    expect(live()).toBe(1);
    await server.advance(1);
    expect(live()).toBe(0);
    expect(server.report).toMatchObject({ connections: 3, clean: 3 });
  });

  test('are not waited for where the rest has left by itself', async () => {
    const server = new DrainedServer();
    server.connect();
    const { peer } = server.connect();
    void server.begin({ batchSize: 1, batchInterval: 5_000, timeout: 60_000 });
    await server.turn();
    expect(server.report).toBeUndefined();
    peer.close(1000);
    await server.turn();
    expect(server.report).toMatchObject({ connections: 2, clean: 2, durationMs: 0 });
    expect(server.clock.pendingTimers).toBe(0);
  });

  test('are made larger where they would not fit into the time', async () => {
    const server = new DrainedServer();
    const clients = Array.from({ length: 100 }, () => server.connect());
    void server.begin({ batchSize: 1, batchInterval: 1_000, timeout: 3_000 });
    await server.turn();
    // One wait of at most 1.5 s fits into the first half.
    expect(clients.filter(({ owner }) => owner.live)).toHaveLength(50);
  });

  test('take those who come meanwhile, too', async () => {
    const server = new DrainedServer();
    const { peer } = server.connect();
    peer.habits.answersClose = false;
    void server.begin();
    await server.turn();
    const late = server.connect();
    await server.turn();
    expect(late.peer.closeFrame?.code).toBe(1001);
    peer.end();
    await server.turn();
    expect(server.report).toMatchObject({ connections: 2, clean: 1, lost: 1 });
  });

  test('do not ask twice who somebody else closes already', async () => {
    const server = new DrainedServer();
    const { owner, peer } = server.connect();
    peer.habits.answersClose = false;
    void owner.close(4000, 'mine');
    void server.begin();
    await server.turn();
    expect(peer.closeFrame).toMatchObject({ code: 4000, reason: 'mine' });
    expect(server.told.met('concurrent-close')).toBe(0);
  });
});

describe('the deadline', () => {
  test('ends who has frozen, and leaves a reserve to their hooks', async () => {
    const server = new DrainedServer();
    const { owner, peer } = server.connect();
    peer.pause();
    const gate = deferred();
    owner.onceEnded(() => {
      owner.disconnect(GATEWAY, () => gate.promise);
    });
    void server.begin({ timeout: 4_000 });
    await server.turn();
    await server.advance(3_599);
    expect(server.connections.size).toBe(1);
    await server.advance(1);
    expect(server.connections.size).toBe(0);
    expect(server.report).toBeUndefined();
    gate.resolve();
    await server.turn();
    expect(server.report).toMatchObject({
      terminated: 1,
      hooksAwaited: 1,
      hooksOverran: 0,
      deadlineHit: true,
      durationMs: 3_600,
      slowest: [{ connectionId: '1', durationMs: 3_600, handshake: 'terminated' }],
    });
    expect(server.clock.pendingTimers).toBe(0);
  });

  test('names the five that took longest, the slowest first, and of equals those that ended first', async () => {
    const server = new DrainedServer();
    const clients = Array.from({ length: 8 }, () => server.connect());
    for (const { peer } of clients) peer.pause();
    const report = server.begin();
    await server.turn();
    // The third and the fourth end together.
    for (const [index, wait] of [10, 20, 30, 0, 40, 50, 0, 60].entries()) {
      await server.advance(wait);
      clients[index]!.peer.resume();
      await server.turn();
    }
    const { slowest } = await report;
    expect(slowest.map(({ connectionId, durationMs }) => [connectionId, durationMs])).toEqual([
      ['8', 210],
      ['6', 150],
      ['7', 150],
      ['5', 100],
      ['3', 60],
    ]);
  });

  test('is not put off by a hook that never ends', async () => {
    const server = new DrainedServer();
    const { owner } = server.connect();
    owner.onceEnded(() => owner.disconnect(GATEWAY, () => new Promise(() => {})));
    void server.begin({ timeout: 4_000 });
    await server.turn();
    await server.advance(3_999);
    expect(server.report).toBeUndefined();
    await server.advance(1);
    expect(server.report).toMatchObject({ clean: 1, hooksOverran: 1, deadlineHit: true });
    expect(server.hooks.names).toBe('handleDisconnect of Gateway');
    expect(server.clock.pendingTimers).toBe(0);
  });

  test('lets a handler that never ends time for nothing but its close frame', async () => {
    const server = new DrainedServer();
    const { owner, peer } = server.connect({ handlers: { settleTimeout: 60_000 } });
    owner.calls.run(() => new Promise(() => {}), undefined, 'work');
    void server.begin({ timeout: 2_000 });
    await server.turn();
    await server.advance(1_350);
    await server.turn();
    expect(peer.closeFrame?.code).toBe(1001);
    expect(server.report).toMatchObject({ clean: 1, deadlineHit: false });
  });

  test('counts a socket whose end is never reported as terminated', async () => {
    const server = new DrainedServer();
    const { peer, port } = server.connect({ close: { handshakeTimeout: 60_000 } });
    peer.pause();
    port.stuck = true;
    void server.begin({ timeout: 1_000 });
    await server.turn();
    await server.advance(1_000);
    expect(server.report).toMatchObject({ connections: 1, terminated: 1, deadlineHit: true });
  });

  test('closes who comes after it, and waits for nobody', async () => {
    const server = new DrainedServer();
    await server.begin();
    const late = server.connect();
    await server.turn();
    expect(late.peer.closeFrame?.code).toBe(1001);
    expect(server.report).toMatchObject({ connections: 0 });
  });

  test('destroys who comes while it has already passed', async () => {
    const server = new DrainedServer();
    const { owner } = server.connect();
    owner.onceEnded(() => owner.disconnect(GATEWAY, () => new Promise(() => {})));
    void server.begin({ timeout: 10_000 });
    await server.turn();
    await server.advance(9_000);
    expect(server.drain.phase).toBe('terminating');
    const late = server.connect();
    await server.turn();
    expect(late.owner.state).toBe('closed');
    await server.advance(1_000);
    expect(server.report).toMatchObject({ connections: 2, terminated: 1, clean: 1 });
  });

  test('comes within a second where somebody is in a hurry', async () => {
    const server = new DrainedServer();
    const { peer } = server.connect();
    peer.pause();
    server.connect();
    void server.begin({ batchSize: 1, batchInterval: 5_000, timeout: 30_000 });
    await server.turn();
    server.drain.hurry();
    await server.turn();
    await server.advance(1_000);
    expect(server.report).toMatchObject({ connections: 2, clean: 1, terminated: 1 });
    expect(server.report!.durationMs).toBeLessThanOrEqual(1_000);
  });
});

describe('the delay of a drain', () => {
  test('leaves everything as it is, and upgrades welcome', async () => {
    const server = new DrainedServer();
    const { owner } = server.connect();
    void server.begin({ readinessDelay: 2_000 });
    await server.turn();
    await server.advance(1_999);
    expect(server.drain.phase).toBe('unready');
    expect([owner.live, server.refused]).toEqual([true, false]);
    server.connect();
    await server.advance(1);
    expect([owner.live, server.refused]).toEqual([false, true]);
    expect(server.report).toMatchObject({ connections: 2, clean: 2 });
  });

  test('is part of the deadline', async () => {
    const server = new DrainedServer();
    void server.begin({ readinessDelay: 2_000, timeout: 1_000 });
    await server.turn();
    await server.advance(1_000);
    expect(server.report).toMatchObject({ deadlineHit: false });
  });
});

describe('a goodbye', () => {
  test('that takes its time is waited for', async () => {
    const server = new DrainedServer();
    const { owner } = server.connect();
    const gate = deferred();
    server.goodbye = () => gate.promise;
    void server.begin();
    await server.turn();
    expect(owner.live).toBe(true);
    gate.resolve();
    await server.turn();
    expect(server.report).toMatchObject({ clean: 1, hooksAwaited: 1 });
    expect(server.clock.pendingTimers).toBe(0);
  });

  test('that never ends is waited for no longer than a quarter of the time left', async () => {
    const server = new DrainedServer();
    const { owner } = server.connect();
    const gate = deferred();
    server.goodbye = () => gate.promise;
    void server.begin({ timeout: 4_000 });
    await server.turn();
    await server.advance(999);
    expect(owner.live).toBe(true);
    await server.advance(1);
    expect(owner.live).toBe(false);
    gate.resolve();
    await server.turn();
    expect(server.report).toMatchObject({ clean: 1, hooksAwaited: 1, hooksOverran: 0 });
    expect(server.told.met('concurrent-close')).toBe(0);
  });
});

test('its progress says how far it is', async () => {
  const server = new DrainedServer();
  expect(server.drain.progress()).toMatchObject({ phase: 'serving', timeLeft: Infinity, total: 0 });
  const { owner, peer } = server.connect();
  owner.calls.run(() => new Promise(() => {}), undefined, 'work');
  peer.pause();
  void owner.send('x'.repeat(100_000));
  server.connect();
  void server.begin({ batchSize: 1, batchInterval: 1_000 });
  await server.turn();
  await server.advance(100);
  expect(server.drain.progress()).toEqual({
    phase: 'closing',
    connections: { connecting: 0, open: 1, draining: 1, closing: 0 },
    handlersInFlight: 1,
    hooksRunning: 0,
    bytesLeft: expect.any(Number),
    asked: 1,
    total: 2,
    timeLeft: 9_900,
  });
  expect(server.drain.progress().bytesLeft).toBeGreaterThan(0);
});

test('a hook that ends while nobody drains is nothing to it', () => {
  const server = new DrainedServer();
  server.hooks.begin('handleDisconnect')();
  expect(server.clock.pendingMacrotask).toBe(0);
});
