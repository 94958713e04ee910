import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { GatedServer } from '../../src/nest/gated.server.js';
import { UpgradeGate } from '../../src/nest/upgrade-gate.js';
import { systemClock } from '../../src/runtime/clock.js';
import { DEFAULT_POLICY } from '../../src/runtime/connection.policy.js';
import { LifecycleHub } from '../../src/runtime/lifecycle.hub.js';
import type { Owner } from '../../src/runtime/owner.js';
import { createRuntime } from '../../src/runtime/runtime.js';
import { own, ownedWebSocketClass } from '../../src/ws/owned-websocket.js';
import { afterTest } from '../support/cleanup.js';
import { Tally } from '../support/waiting.js';
import { knock, serve, SHARED, statusOf } from './upgrades.js';

describe('verifyClient of ws', () => {
  type Decide = (verified: boolean, status?: number, message?: string) => void;

  test('still decides after the gate, with what it gives', async () => {
    const served = await serve(
      SHARED,
      {},
      {
        verifyClient: ({ req }: { req: IncomingMessage }, decide: Decide) =>
          decide(req.url === '/?yes', 418, 'no tea'),
      },
    );
    expect(await statusOf(`${served.at}?yes`)).toBe(101);
    expect(await knock(served.at).answer).toMatchObject({ status: 418, body: 'no tea' });
  });

  test('that was still thinking when a drain began accepts nobody', async () => {
    const thinking = new Tally<Decide>();
    const served = await serve(
      SHARED,
      {},
      { verifyClient: (_info: unknown, decide: Decide) => thinking.add(decide) },
    );
    const { answer } = knock(served.at);
    const decide = await thinking.at(0, 'upgrade verified');
    await served.service.drain();
    decide(true);
    const { status, headers } = await answer;
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('5');
    expect(served.service.report().connections.opened).toBe(0);
    expect(served.service.report().races['upgrade-refused']).toBe(1);
  });
});

test('a listener that throws leaves no connection behind that no gateway has seen', async () => {
  const runtime = createRuntime({ observer: new LifecycleHub(), nextId: () => 'id' });
  const gate = new UpgradeGate({
    clock: systemClock,
    retryAfter: 1_000,
    authorize: undefined,
    allowedOrigins: undefined,
    tell: () => {},
  });
  gate.release();
  const server = new GatedServer(
    { noServer: true, WebSocket: ownedWebSocketClass(WebSocket) },
    gate,
    1_000,
  );
  const failure = new Error('of a listener of the app');
  const thrown: unknown[] = [];
  let owner: Owner | undefined;
  const http = createServer().on('upgrade', (request, socket, head) => {
    try {
      server.handleUpgrade(request, socket, head, (client) => {
        owner = own(client, request, runtime, DEFAULT_POLICY);
        owner.awaitReadiness();
        throw failure;
      });
    } catch (error) {
      thrown.push(error);
    }
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  afterTest(() => {
    client.terminate();
    http.close();
  });
  const [code] = (await once(client, 'close')) as [number];
  expect(code).toBe(1011);
  expect(thrown).toEqual([failure]);
  expect(await owner!.closed).toMatchObject({ handshake: 'clean', code: 1011 });
});
