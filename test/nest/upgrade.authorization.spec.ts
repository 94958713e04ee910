import { describe, expect, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { SafeCloseOptions } from '../../src/index.js';
import { frame, Opcode } from '../support/clients/frames.js';
import { RawPeer } from '../support/clients/raw.peer.js';
import { WsClient } from '../support/clients/ws.client.js';
import { deferred, nextMacrotask, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';
import { gone, knock, serve, SHARED } from './upgrades.js';

describe('authorize', () => {
  const boom = new Error('secret of the database');

  test.each<[string, NonNullable<SafeCloseOptions['authorize']>, number, number]>([
    ['true', () => true, 101, 0],
    ['a promise of true', () => Promise.resolve(true), 101, 0],
    ['false', () => false, 401, 0],
    ['a promise of false', () => Promise.resolve(false), 401, 0],
    ['a status', () => ({ status: 429 }), 429, 0],
    ['a status without a name', () => ({ status: 499 }), 499, 0],
    ['a promise of a status', () => Promise.resolve({ status: 404 }), 404, 0],
    ['a status that is no refusal', () => ({ status: 200 }), 500, 1],
    ['a broken status', () => ({ status: 403.5 }), 500, 1],
    ['a status as a text', () => ({ status: '403' as unknown as number }), 500, 1],
    ['nothing', () => undefined as unknown as boolean, 500, 1],
    ['null', () => Promise.resolve(null as unknown as boolean), 500, 1],
    ['a truthy value', () => 'yes' as unknown as boolean, 500, 1],
    [
      'an error',
      () => {
        throw boom;
      },
      500,
      1,
    ],
    ['a rejection', () => Promise.reject(boom), 500, 1],
  ])('%s', async (_what, authorize, status, failures) => {
    const served = await serve(SHARED, { authorize });
    const answer = await knock(served.at).answer;
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain('secret');
    const { races, connections } = served.service.report();
    expect(races['authorize-failure']).toBe(failures);
    expect(served.logs.matching('warn', 'authorize-failure')).toHaveLength(failures);
    expect(races['upgrade-refused']).toBe(status === 101 ? 0 : 1);
    expect(connections.opened).toBe(status === 101 ? 1 : 0);
  });

  test('that never settles ends with 503', async () => {
    const served = await serve(SHARED, {
      authorize: () => new Promise(() => {}),
      connect: { timeout: 30 },
    });
    const { status, headers } = await knock(served.at).answer;
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('5');
    expect(served.logs.matching('warn', 'authorize did not settle within 30 ms')).toHaveLength(1);
  });

  test.each<[string, () => Promise<boolean>]>([
    ['true', () => Promise.resolve(true)],
    ['false', () => Promise.resolve(false)],
    ['an error', () => Promise.reject(boom)],
  ])('that comes to %s after its client has left concerns nobody', async (_what, verdict) => {
    const asked = new Tally<{ socket: Socket; listeners: number }>();
    const decided = deferred();
    const served = await serve(SHARED, {
      authorize: async ({ socket }) => {
        asked.add({ socket, listeners: socket.listenerCount('end') });
        await decided.promise;
        return await verdict();
      },
    });
    const leaving = knock(served.at);
    const { socket, listeners } = await asked.at(0, 'upgrade asked about');
    leaving.socket.terminate();
    await gone(socket);
    expect(socket.listenerCount('end')).toBeLessThanOrEqual(listeners);
    decided.resolve();
    await nextMacrotask();
    const { races, connections } = served.service.report();
    expect(connections.opened).toBe(0);
    expect(races['upgrade-refused']).toBe(0);
    await within(served.app.close(), 'the app to close');
  });

  test('An upgrade that waited goes on as one that did not: same listeners, nothing lost', async () => {
    const raw: Socket[] = [];
    class Keeper extends Echo {
      override handleConnection(client: WebSocket, request?: IncomingMessage): void {
        super.handleConnection(client);
        raw.push(request!.socket);
      }
    }
    const Gateway = gatewayOf(Keeper);
    const hosted = await host({
      providers: [Gateway],
      safeClose: {
        authorize: ({ url }) => (url === '/?late' ? nextMacrotask().then(() => true) : true),
      },
    });
    await WsClient.connect(hosted.url('/?now'));
    const said = frame(Opcode.text, JSON.stringify({ event: 'echo', data: 1 }));
    const peer = await RawPeer.connect(hosted.url('/?late'), { withUpgrade: [said] });
    await peer.messages.reached(1, 'reply');
    await WsClient.connect(hosted.url('/?late'));
    const [now, , late] = raw.map((socket) =>
      Object.fromEntries(socket.eventNames().map((name) => [name, socket.listenerCount(name)])),
    );
    expect(late).toEqual(now);
  });

  test('A drain refuses those it has not yet spoken of, whatever it says then', async () => {
    const asked = new Tally();
    const decided = deferred<boolean>();
    const served = await serve(SHARED, {
      authorize: () => {
        asked.add();
        return decided.promise;
      },
    });
    const { answer } = knock(served.at);
    await asked.reached(1, 'upgrade asked about');
    await served.service.drain();
    expect((await answer).status).toBe(503);
    decided.resolve(true);
    await nextMacrotask();
    expect(served.service.report().connections.opened).toBe(0);
  });
});
