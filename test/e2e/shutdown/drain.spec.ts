import { Inject, Injectable } from '@nestjs/common';
import { expect, test } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { SafeCloseService, type DrainReport, type SafeCloseOptions } from '../../../src/index.js';
import { freePort } from '../../nest/hosting.js';
import { knock } from '../../nest/upgrades.js';
import { startApp, type TestApp } from '../../support/app.js';
import { boot } from '../../support/boot.js';
import { afterTest } from '../../support/cleanup.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally, within } from '../../support/waiting.js';

const GOING_AWAY = { code: 1001, reason: 'server is shutting down' };
/** No test lasts as long: what ends has not waited for it. */
const AGES_MS = 60_000;
const ENDLESS: SafeCloseOptions = {
  connect: { timeout: AGES_MS },
  close: { flushTimeout: AGES_MS, handshakeTimeout: AGES_MS, maxTimeout: 2 * AGES_MS },
  handlers: { settleTimeout: AGES_MS },
};

/** Its hooks wait for what a test gives them. */
@WebSocketGateway()
class Desk extends Reception {
  readonly log = new Tally<string>();
  arriving: (client: WebSocket) => Promise<unknown> = async () => {};
  leaving: Promise<unknown> = Promise.resolve();

  override async handleConnection(client: WebSocket): Promise<void> {
    this.log.add('C+');
    super.handleConnection(client);
    await this.arriving(client);
    this.log.add('C-');
  }

  async handleDisconnect(): Promise<void> {
    this.log.add('D+');
    await this.leaving;
    this.log.add('D-');
  }

  @SubscribeMessage('work')
  work(): unknown {
    this.log.add('H');
    return { event: 'worked' };
  }
}

async function open(options: SafeCloseOptions = {}): Promise<{ app: TestApp; desk: Desk }> {
  const app = await startApp({ gateways: [Desk], options });
  return { app, desk: app.gateway(Desk) };
}

async function reportOf(drained: Promise<DrainReport>): Promise<DrainReport> {
  return await within(drained, 'the report of the drain');
}

test('with no connections it has ended before the next turn of the event loop', async () => {
  const { app } = await open();
  const order: string[] = [];
  const turn = nextMacrotask().then(() => order.push('turn'));
  const drained = app.service.drain().then((report) => {
    order.push('drained');
    return report;
  });
  expect(await reportOf(drained)).toMatchObject({
    connections: 0,
    deadlineHit: false,
    slowest: [],
  });
  await turn;
  expect(order).toEqual(['drained', 'turn']);
});

test('the end of an app with an idle client waits for its handshake, and for no timer', async () => {
  const { app } = await open({
    ...ENDLESS,
    shutdown: { timeout: AGES_MS, batchInterval: AGES_MS },
  });
  const client = await WsClient.connect(app.url());
  await within(app.nest.close(), 'the end of the app');
  expect(await client.closed()).toEqual(GOING_AWAY);
});

test('begun twice, and by the end of the app, it closes everybody once', async () => {
  const { app, desk } = await open();
  const peer = await RawPeer.connect(app.url());
  const reports = [app.service.drain(), app.service.drain({ code: 1012 })];
  await within(app.nest.close(), 'the end of the app');
  const [first, second] = await Promise.all(reports.map((report) => reportOf(report)));
  expect(second).toBe(first);
  expect(first).toMatchObject({ connections: 1, clean: 1, hooksAwaited: 1, hooksOverran: 0 });
  await peer.ended();
  expect(peer.closes.all).toEqual([GOING_AWAY]);
  expect(desk.log.all).toEqual(['C+', 'C-', 'D+', 'D-']);
});

test('no handler starts any more, for those who are asked to close later either', async () => {
  const { app, desk } = await open();
  const first = await WsClient.connect(app.url());
  const second = await WsClient.connect(app.url());
  const drained = app.service.drain({ batchSize: 1, batchInterval: 500 });
  first.emit('work');
  second.emit('work');
  expect(await first.closed()).toEqual(GOING_AWAY);
  expect(await second.closed()).toEqual(GOING_AWAY);
  expect(await reportOf(drained)).toMatchObject({ connections: 2, clean: 2 });
  expect(desk.log.all).not.toContain('H');
});

test('begun during start-up, it refuses those who wait for the app, and all after them', async () => {
  const port = await freePort();
  const begun = deferred<SafeCloseService>();
  const over = deferred();
  class Own extends Desk {}
  WebSocketGateway(port)(Own);
  @Injectable()
  class SlowStart {
    constructor(@Inject(SafeCloseService) private readonly safeClose: SafeCloseService) {}

    async onModuleInit(): Promise<void> {
      begun.resolve(this.safeClose);
      await over.promise;
    }
  }
  const booting = boot({ gateways: [Own], providers: [SlowStart] }, false);
  afterTest(async () => {
    over.resolve();
    await (await booting).close();
  });
  const service = await within(begun.promise, 'the start of the app');
  const url = `ws://127.0.0.1:${port}/`;
  const early = knock(url);
  // Answered by the same server: it has the upgrade by then.
  expect((await fetch(url.replace('ws:', 'http:'))).status).toBe(426);
  expect(await reportOf(service.drain())).toMatchObject({ connections: 0, deadlineHit: false });
  expect((await early.answer).status).toBe(503);
  over.resolve();
  const app = await within(booting, 'the app to be up');
  const { status, headers } = await knock(url).answer;
  expect([status, headers['retry-after']]).toEqual([503, '5']);
  expect(app.get(Own).log.all).toEqual([]);
});

test('a client whose handleConnection still runs is told to leave, and its hooks keep their order', async () => {
  const { app, desk } = await open();
  const arriving = deferred();
  desk.arriving = () => arriving.promise;
  const client = await WsClient.connect(app.url());
  await desk.socket();
  client.emit('work');
  const drained = app.service.drain();
  expect(await client.closed()).toEqual(GOING_AWAY);
  arriving.resolve();
  expect(await reportOf(drained)).toMatchObject({
    connections: 1,
    clean: 1,
    hooksAwaited: 1,
    deadlineHit: false,
  });
  expect(desk.log.all).toEqual(['C+', 'C-', 'D+', 'D-']);
});

test('a handleConnection that never settles holds up the drain until its deadline at most', async () => {
  const { app, desk } = await open({ ...ENDLESS, shutdown: { timeout: 1_000 } });
  desk.arriving = () => new Promise(() => {});
  const client = await WsClient.connect(app.url());
  await desk.socket();
  const drained = app.service.drain();
  expect(await client.closed()).toEqual(GOING_AWAY);
  // Whether that counts as its deadline is decided by two timers of the same moment.
  expect(await reportOf(drained)).toMatchObject({ connections: 1, clean: 1, hooksAwaited: 1 });
  expect(desk.log.all).toEqual(['C+', 'D+', 'D-']);
});

test('a handleDisconnect that never settles is given up at the deadline, and said so', async () => {
  const { app, desk } = await open({ shutdown: { timeout: 1_000 } });
  desk.leaving = new Promise(() => {});
  const client = await WsClient.connect(app.url());
  await within(app.nest.close(), 'the end of the app');
  expect(await client.closed()).toEqual(GOING_AWAY);
  expect(await app.service.drain()).toMatchObject({
    connections: 1,
    clean: 1,
    hooksAwaited: 0,
    hooksOverran: 1,
    deadlineHit: true,
  });
  expect(app.logs.matching('warn', 'hit its deadline')[0]?.text).toContain(
    '0 connections terminated, 1 hooks still running (handleDisconnect of Desk)',
  );
});

test('a client that kicks its old session in its handleConnection leaves with it', async () => {
  const { app, desk } = await open({ identity: () => 'ada' });
  // It never answers the close frame, so that the kick is still waited for as the drain begins.
  const old = await RawPeer.connect(app.url(), { answersClose: false });
  const oldSocket = await desk.socket(0);
  await desk.log.reached(2, 'hook passed');
  desk.arriving = () => app.service.close(oldSocket, 4000, 'replaced');
  const client = await WsClient.connect(app.url());
  await desk.socket(1);
  expect(await old.closed()).toEqual({ code: 4000, reason: 'replaced' });
  const drained = app.service.drain({ timeout: 3_000 });
  expect(await client.closed()).toEqual(GOING_AWAY);
  expect(await reportOf(drained)).toMatchObject({
    connections: 2,
    clean: 1,
    terminated: 1,
    hooksAwaited: 2,
    hooksOverran: 0,
  });
  expect(desk.log.all.filter((step) => step === 'D-')).toHaveLength(2);
});
