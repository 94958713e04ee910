import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { expect } from '@jest/globals';
import {
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayInit,
} from '@nestjs/websockets';
import type { WebSocketServer } from 'ws';
import { freePort } from '../../nest/hosting.js';
import { knock } from '../../nest/upgrades.js';
import { startApp, type TestApp } from '../../support/app.js';
import { boot } from '../../support/boot.js';
import { afterTest } from '../../support/cleanup.js';
import { frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { deferred, Tally, within } from '../../support/waiting.js';

const PLACES = [
  { place: 'the HTTP port', own: false, path: '/' },
  { place: 'a path of the HTTP port', own: false, path: '/desk' },
  { place: 'a port of its own', own: true, path: '/' },
  { place: 'a path of a port of its own', own: true, path: '/desk' },
];

const HOOKS = ['onModuleDestroy', 'beforeApplicationShutdown'] as const;

/** Such as a queue that takes its time to be emptied. */
@Injectable()
class SlowEnd implements OnModuleDestroy {
  readonly begun = new Tally<string>();
  readonly gates = { onModuleDestroy: deferred(), beforeApplicationShutdown: deferred() };

  onModuleDestroy(): Promise<void> {
    return this.#pass('onModuleDestroy');
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#pass('beforeApplicationShutdown');
  }

  release(): void {
    for (const hook of HOOKS) this.gates[hook].resolve();
  }

  async #pass(hook: (typeof HOOKS)[number]): Promise<void> {
    this.begun.add(hook);
    await this.gates[hook].promise;
  }
}

async function startEnding(options: { own: boolean; path: string }): Promise<{
  app: TestApp;
  url: string;
}> {
  const port = options.own ? await freePort() : 0;
  @WebSocketGateway(port, options.path === '/' ? {} : { path: options.path })
  class Desk {}
  const app = await startApp({ gateways: [Desk], providers: [SlowEnd] });
  afterTest(() => app.nest.get(SlowEnd).release());
  const url = options.own ? `ws://127.0.0.1:${port}${options.path}` : app.url(options.path);
  return { app, url };
}

for (const { place, ...where } of PLACES) {
  race(
    `an upgrade on ${place} while the app ends gets 503 with Retry-After, whatever hook it waits for`,
    { guarantee: 'G10', stock: 'fails' },
    async () => {
      const { app, url } = await startEnding(where);
      const end = app.nest.get(SlowEnd);
      const closed = app.nest.close();
      for (const [index, hook] of HOOKS.entries()) {
        expect(await end.begun.at(index, 'hook begun')).toBe(hook);
        const { status, headers } = await knock(url).answer;
        expect(status).toBe(503);
        expect(headers['retry-after']).toBe('5');
        end.gates[hook].resolve();
      }
      await within(closed, 'the end of the app');
    },
  );
}

const START_HOOKS = ['onModuleInit', 'onApplicationBootstrap'] as const;

/** Boots an app with a gateway on a port of its own that stays in a hook of another provider. */
async function startSlowly(slowHook: (typeof START_HOOKS)[number]): Promise<{
  url: string;
  log: Tally<string>;
  asked: Tally;
  up: () => Promise<void>;
}> {
  const log = new Tally<string>();
  const asked = new Tally();
  const begun = deferred();
  const over = deferred();
  const port = await freePort();

  @WebSocketGateway(port)
  class Desk implements OnGatewayInit, OnGatewayConnection {
    afterInit(server: WebSocketServer): void {
      const handleUpgrade = server.handleUpgrade.bind(server);
      server.handleUpgrade = (...upgrade) => {
        handleUpgrade(...upgrade);
        asked.add();
      };
    }

    handleConnection(): void {
      log.add('connected');
    }

    @SubscribeMessage('work')
    work(): unknown {
      log.add('handled');
      return { event: 'worked' };
    }
  }

  @Injectable()
  class SlowStart {
    async [slowHook](): Promise<void> {
      begun.resolve();
      await over.promise;
      log.add('ready');
    }
  }

  const booting = boot({ gateways: [Desk], providers: [SlowStart] }, false);
  const up = async (): Promise<void> => {
    over.resolve();
    await within(booting, 'the app to be up');
  };
  afterTest(async () => {
    await up();
    await (await booting).close();
  });
  await within(begun.promise, `${slowHook} to begin`);
  return { url: `ws://127.0.0.1:${port}/`, log, asked, up };
}

for (const hook of START_HOOKS) {
  race(
    `a client that reaches a port of its own during ${hook} is served once the app is up`,
    { guarantee: 'G10', stock: 'fails' },
    async () => {
      const { url, log, asked, up } = await startSlowly(hook);
      const work = frame(Opcode.text, JSON.stringify({ event: 'work' }));
      const arriving = RawPeer.connect(url, { withUpgrade: [work] });
      await asked.reached(1, 'upgrade asked for');
      // The server has had its turns since.
      expect((await fetch(url.replace('ws:', 'http:'))).status).toBe(426);
      await up();
      const peer = await arriving;
      expect(await peer.messages.at(0, 'answer')).toBe('{"event":"worked"}');
      expect(log.all).toEqual(['ready', 'connected', 'handled']);
    },
  );
}
