import { describe, expect, test } from '@jest/globals';
import { Inject, Injectable, Scope, UseInterceptors, type Type } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import {
  ConnectionLifecycleInterceptor,
  ConnectionPolicy,
  ConnectionRejectedException,
  InvalidOptionsError,
  SetupError,
  type ConnectionPolicyOptions,
} from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { nestMajor } from '../support/stack.js';
import { deferred, nextMacrotask, Tally } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { bootError, host, type Setup } from './hosting.js';

/** What request-scoped instances share. */
class Journal {
  readonly connected = new Tally<WebSocket>();
  readonly disconnected = new Tally();
  readonly handled = new Tally<unknown>();
  admission: Promise<unknown> = Promise.resolve();
}

@Injectable({ scope: Scope.REQUEST })
class PerConnection {
  static failure: Error | undefined;
  readonly value = 'of the request';

  constructor() {
    if (PerConnection.failure) throw PerConnection.failure;
  }
}

class Scoped {
  constructor(
    @Inject(PerConnection) readonly dependency: PerConnection,
    @Inject(Journal) readonly journal: Journal,
  ) {}

  async handleConnection(client: WebSocket): Promise<void> {
    this.journal.connected.add(client);
    await this.journal.admission;
  }

  handleDisconnect(): void {
    this.journal.disconnected.add();
  }

  @SubscribeMessage('value')
  value(_client: WebSocket, data: unknown): unknown {
    this.journal.handled.add(data);
    return { event: 'value', data: `${this.dependency.value} ${String(data)}` };
  }
}

function scopedSetup(gateway: Type = gatewayOf(Scoped)): Setup {
  PerConnection.failure = undefined;
  return { providers: [gateway, PerConnection, Journal] };
}

if (nestMajor === 11) {
  describe('Request-scoped gateways on Nest 11', () => {
    test.each([true, false])(
      'are refused at boot with the reason (installAdapter: %s)',
      async (installAdapter) => {
        class Own extends WsAdapter {}
        const error = await bootError({
          ...scopedSetup(),
          safeClose: { installAdapter },
          prepare: (app) =>
            app.useWebSocketAdapter(installAdapter ? new WsAdapter(app) : new Own(app)),
        });
        expect(error).toBeInstanceOf(SetupError);
        expect(error).toMatchObject({ code: 'ERR_REQUEST_SCOPED_GATEWAY' });
        expect(error.message).toContain('ScopedOfApp');
        expect(error.message).toContain('undefined dependencies');
        expect(error.message).toContain('Nest 12');
      },
    );
  });
} else {
  describe('Request-scoped gateways on Nest 12', () => {
    test('get their dependencies, and their hooks run once', async () => {
      const hosted = await host(scopedSetup());
      const journal = hosted.get(Journal);
      const client = await WsClient.connect(hosted.url());
      client.emit('value', 1);
      expect(await client.message(0)).toEqual({ event: 'value', data: 'of the request 1' });
      client.close();
      await journal.disconnected.reached(1, 'handleDisconnect called');
      await nextMacrotask();
      expect(journal.connected.count).toBe(1);
      expect(journal.disconnected.count).toBe(1);
    });

    test('wait for readiness, which the making of their instance is part of', async () => {
      const hosted = await host(scopedSetup());
      const journal = hosted.get(Journal);
      const gate = deferred();
      journal.admission = gate.promise;
      const client = await WsClient.connect(hosted.url());
      const [connection] = [...hosted.service.connections];
      for (let n = 0; n < 10; n++) client.emit('value', n);
      await journal.connected.reached(1, 'handleConnection called');
      while (hosted.service.report().races['early-message'] < 10) {
        await nextMacrotask();
      }
      expect(connection!.state).toBe('connecting');
      expect(journal.handled.count).toBe(0);
      gate.resolve();
      await client.messages.reached(10, 'reply');
      expect(journal.handled.all).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });

    test('reject with a code of their own', async () => {
      const hosted = await host(scopedSetup());
      const journal = hosted.get(Journal);
      const gate = deferred<never>();
      journal.admission = gate.promise.then(() => {
        throw new ConnectionRejectedException(4403, 'no');
      });
      const client = await WsClient.connect(hosted.url());
      client.emit('value', 1);
      gate.resolve(undefined as never);
      expect(await client.closed()).toEqual({ code: 4403, reason: 'no' });
      expect(journal.handled.count).toBe(0);
    });

    test('with a failing dependency end in 1013, start no handler and leak nothing', async () => {
      const hosted = await host({ ...scopedSetup(), safeClose: { connect: { timeout: 60 } } });
      PerConnection.failure = new Error('the database is down: password=hunter2');
      const journal = hosted.get(Journal);
      const client = await WsClient.connect(hosted.url('/?token=secret'));
      client.emit('value', 1);
      const { code } = await client.closed();
      expect(code).toBe(1013);
      expect(journal.handled.count).toBe(0);
      expect(journal.connected.count).toBe(0);
      const said = client.messages.all.join('\n');
      expect(said).not.toContain('hunter2');
      expect(said).not.toContain('secret');
      expect(said).not.toContain('rawHeaders');
      expect(hosted.logs.matching('warn', 'ready-timeout')[0]?.text).toContain('ScopedOfApp');
    });

    test('share a connection with others: all are waited for', async () => {
      const Plain = gatewayOf(Echo);
      const setup = scopedSetup();
      const hosted = await host({ providers: [...setup.providers!, Plain] });
      const journal = hosted.get(Journal);
      const gate = deferred();
      journal.admission = gate.promise;
      const client = await WsClient.connect(hosted.url());
      client.emit('echo', 1);
      await journal.connected.reached(1, 'handleConnection called');
      while (hosted.service.report().races['early-message'] === 0) {
        await nextMacrotask();
      }
      expect(hosted.get(Plain).heard.count).toBe(0);
      gate.resolve();
      expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    });

    test('without handleConnection have nothing to wait for', async () => {
      class Hookless {
        constructor(@Inject(PerConnection) readonly dependency: PerConnection) {}

        @SubscribeMessage('value')
        value(): unknown {
          return { event: 'value', data: this.dependency.value };
        }
      }
      const hosted = await host({
        ...scopedSetup(gatewayOf(Hookless)),
        safeClose: { connect: { timeout: 60 } },
      });
      const client = await WsClient.connect(hosted.url());
      client.emit('value');
      expect(await client.message(0)).toEqual({ event: 'value', data: 'of the request' });
      const [connection] = [...hosted.service.connections];
      expect(connection!.state).toBe('open');
    });
  });
}

function withPolicy<T extends Type<object>>(
  policy: ConnectionPolicyOptions,
  Base: T,
  options: Record<string, unknown> = {},
): T {
  const Gateway = gatewayOf(Base, 0, options);
  ConnectionPolicy(policy)(Gateway);
  return Gateway;
}

describe('@ConnectionPolicy()', () => {
  class NeverReady {
    handleConnection(): Promise<void> {
      return new Promise(() => {});
    }

    @SubscribeMessage('echo')
    echo(_client: WebSocket, data: unknown): unknown {
      return { event: 'echo', data };
    }
  }

  test('goes over the options of the module, for the connections of its gateway only', async () => {
    const hosted = await host({
      safeClose: { connect: { waitFor: 'nothing' } },
      providers: [
        withPolicy({ connect: { waitFor: 'handleConnection', timeout: 50 } }, NeverReady, {
          path: '/strict',
        }),
        gatewayOf(NeverReady, 0, { path: '/lax' }),
      ],
    });
    const strict = await WsClient.connect(hosted.url('/strict'));
    const lax = await WsClient.connect(hosted.url('/lax'));
    lax.emit('echo', 1);
    expect(await lax.message(0)).toEqual({ event: 'echo', data: 1 });
    expect(await strict.closed()).toMatchObject({ code: 1013 });
  });

  test('counts for gateways on an adapter of the app, too', async () => {
    class Own extends WsAdapter {}
    const Gateway = withPolicy({ connect: { timeout: 50 } }, NeverReady);
    UseInterceptors(ConnectionLifecycleInterceptor)(Gateway);
    const hosted = await host({
      safeClose: { installAdapter: false },
      providers: [Gateway],
      prepare: (app) => app.useWebSocketAdapter(new Own(app)),
    });
    const client = await WsClient.connect(hosted.url());
    expect(await client.closed()).toMatchObject({ code: 1013 });
  });

  test('that is faulty fails the boot, and names the gateway', async () => {
    const error = await bootError({
      providers: [withPolicy({ close: { flushTimeout: -5 }, mode: 'x' } as never, Echo)],
    });
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toContain('@ConnectionPolicy() of EchoOfApp has 2 faulty options');
    expect(error.message).toContain('close.flushTimeout: got -5');
    expect(error.message).toContain('mode: got "x"');
  });

  test('that contradicts another on the same connections fails the boot, and names both', async () => {
    class Other extends Echo {}
    const error = await bootError({
      providers: [
        withPolicy({ close: { flushTimeout: 1_000, handshakeTimeout: 500 } }, Echo),
        withPolicy({ close: { flushTimeout: 2_000 } }, Other),
      ],
    });
    expect(error).toMatchObject({ code: 'ERR_POLICY_CONFLICT' });
    expect(error.message).toContain('EchoOfApp and OtherOfApp');
    expect(error.message).toContain('close.flushTimeout to 1000 and 2000');
  });

  test('that agrees with another, or sets other options, adds up', async () => {
    class Other extends Echo {}
    const Gateway = withPolicy({ connect: { timeout: 50 }, close: undefined } as never, Echo);
    const hosted = await host({
      providers: [
        Gateway,
        withPolicy({ connect: { timeout: 50, waitFor: undefined } } as never, Other),
        withPolicy({ connect: { waitFor: 'handleConnection' } }, NeverReady),
      ],
    });
    const client = await WsClient.connect(hosted.url());
    expect(await client.closed()).toMatchObject({ code: 1013 });
  });
});
