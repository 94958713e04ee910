import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { ServerOptions } from 'ws';
import { SetupError } from '../../src/index.js';
import { own, ownedWebSocketClass } from '../../src/ws/owned-websocket.js';
import { ownerOf } from '../../src/ws/ownership.js';
import { assertSupportedWs } from '../../src/ws/ws.internals.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';
import { policyOf } from '../support/policy.js';
import { connect, listening, LOWEST, NEWEST, testRuntime, type WsCopy } from './pairs.js';

describe('Two copies of ws in one app', () => {
  const mixes: [WsCopy, WsCopy][] = [
    [NEWEST, LOWEST],
    [LOWEST, NEWEST],
  ];

  test.each(mixes)(
    'A server of $name with sockets of another copy still closes cleanly',
    async (serverCopy, socketCopy) => {
      const { server, url } = await listening(serverCopy, {
        // As the adapter does: without it, sockets of one copy at a server of another have none.
        closeTimeout: 40_000,
        WebSocket: ownedWebSocketClass(socketCopy.WebSocket),
      } as ServerOptions);
      const runtime = testRuntime();
      const accepted = new Tally<InstanceType<typeof NEWEST.WebSocket>>();
      server.on('connection', (socket, request) => {
        own(socket, request, runtime, policyOf());
        accepted.add(socket);
      });
      const peer = connect(url);
      await within(once(peer, 'open'), 'a connection');
      const socket = await accepted.at(0, 'connection');
      expect(socket).toBeInstanceOf(socketCopy.WebSocket);
      peer.pause();
      const outcome = ownerOf(socket)!.close(4000, 'bye');
      for (let turn = 0; turn < 20; turn++) {
        await nextMacrotask();
      }
      const end = once(peer, 'close');
      peer.resume();
      const [code] = await within(end, 'the close');
      expect(code).toBe(4000);
      expect(await outcome).toMatchObject({ handshake: 'clean', code: 4000 });
    },
  );

  test('The class is made once for each class it extends', () => {
    expect(ownedWebSocketClass(NEWEST.WebSocket)).toBe(ownedWebSocketClass(NEWEST.WebSocket));
    expect(ownedWebSocketClass(LOWEST.WebSocket)).not.toBe(ownedWebSocketClass(NEWEST.WebSocket));
    expect(ownedWebSocketClass(LOWEST.WebSocket).OPEN).toBe(1);
  });
});

describe('A copy of ws that lacks what is needed', () => {
  test('is refused with the version to install', () => {
    class Ancient {
      readonly close = null;
    }
    const check = (): void => assertSupportedWs(Ancient as never);
    expect(check).toThrow(SetupError);
    expect(check).toThrow('_closeFrameReceived');
    expect(check).toThrow('npm install ws@8');
  });

  test.each([NEWEST, LOWEST])('is not $name', ({ WebSocket }) => {
    expect(() => assertSupportedWs(WebSocket)).not.toThrow();
  });
});
