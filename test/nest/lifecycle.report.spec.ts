import { expect, test } from '@jest/globals';
import { RACE_KINDS } from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { nextMacrotask } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';

const NOTHING = {
  since: expect.any(Number),
  connections: { opened: 0, open: 0, closed: 0 },
  sends: { accepted: 0, written: 0, acknowledged: 0, dropped: 0, lost: 0, refused: 0 },
  races: Object.fromEntries(RACE_KINDS.map((kind) => [kind, 0])),
  closes: {
    byHandshake: { clean: 0, crossed: 0, terminated: 0, lost: 0 },
    byInitiator: { server: 0, peer: 0, network: 0 },
    byCode: {},
  },
  closeTimes: { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 },
  refusedReplies: 0,
};

test('The report of an app in which nothing has happened names everything', async () => {
  const from = Date.now();
  const { service } = await host({ providers: [gatewayOf(Echo)] });
  const report = service.report();
  expect(report.toJSON()).toEqual(NOTHING);
  expect(report.since).toBeGreaterThanOrEqual(from);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report.toJSON());
  expect(String(report).split('\n')).toEqual([
    expect.stringMatching(/^since {11}\d{4}-\d\d-\d\dT/),
    'connections     none',
    'sends           none',
    'refused replies 0',
    'handshakes      none',
    'initiators      none',
    'codes           none',
    'close times     none',
    'races           none',
  ]);
});

test('The report adds up what closed and open connections have done', async () => {
  const Gateway = gatewayOf(Echo);
  const { service, url, get } = await hosted(Gateway);
  const clients = [];
  for (let n = 0; n < 4; n++) clients.push(await WsClient.connect(url));
  const sockets = get(Gateway).arrivals.all;
  for (const client of clients) {
    client.emit('echo', 1);
    await client.messages.reached(1, 'reply');
  }
  clients[0]!.close(4001);
  await clients[0]!.closed();
  await service.close(sockets[1]!, 1013);
  await service.terminate(sockets[2]!);
  await get(Gateway).departures.reached(3, 'handleDisconnect called');
  await service.send(sockets[3]!, 'x', { acknowledge: true });
  await nextMacrotask();
  const report = service.report();
  expect(report.toJSON()).toMatchObject({
    connections: { opened: 4, open: 1, closed: 3 },
    sends: { accepted: 5, written: 5, lost: 0 },
    closes: {
      byHandshake: { clean: 2, crossed: 0, terminated: 1, lost: 0 },
      byInitiator: { server: 2, peer: 1, network: 0 },
      byCode: { 1006: 1, 1013: 1, 4001: 1 },
    },
    closeTimes: { count: 3 },
    refusedReplies: 0,
  });
  const { mean, p50, p95, p99, max } = report.closeTimes;
  for (const figure of [mean, p50, p95, p99]) {
    expect(figure).toBeGreaterThan(0);
    expect(figure).toBeLessThanOrEqual(max * 1.01);
  }
  expect(p50).toBeLessThanOrEqual(p95);
  expect(p95).toBeLessThanOrEqual(p99);
  const lines = String(report).split('\n');
  expect(lines).toHaveLength(9);
  expect(lines[1]).toBe('connections     opened 4, open 1, closed 3');
  expect(lines[4]).toBe('handshakes      clean 2, terminated 1');
  expect(lines[6]).toBe('codes           1006 1, 1013 1, 4001 1');
  expect(JSON.parse(JSON.stringify(report))).toEqual(report.toJSON());
});

test('A report is of its moment, and changing it changes nothing', async () => {
  const Gateway = gatewayOf(Echo);
  const { service, url } = await hosted(Gateway);
  const before = service.report();
  const client = await WsClient.connect(url);
  client.text('}');
  client.emit('echo', 1);
  await client.messages.reached(1, 'reply');
  expect(before.connections.opened).toBe(0);
  expect(before.races['unreadable-message']).toBe(0);
  const now = service.report();
  (now.races as Record<string, number>)['unreadable-message'] = 99;
  (now.closes.byCode as Record<number, number>)[4000] = 99;
  (now.connections as { opened: number }).opened = 99;
  expect(service.report().races['unreadable-message']).toBe(1);
  expect(service.report().closes.byCode).toEqual({});
  expect(service.report().connections.opened).toBe(1);
});

async function hosted(Gateway: typeof Echo) {
  const app = await host({ providers: [Gateway] });
  return { service: app.service, url: app.url(), get: app.get.bind(app) };
}
