import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  SubscribeMessage,
  WebSocketGateway,
  WsException,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
} from '@nestjs/websockets';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import type { WebSocket } from 'ws';
import {
  ConnectionPolicy,
  ConnectionRejectedException,
  SafeCloseModule,
  SafeCloseService,
  type ConnectionPolicyOptions,
  type OverflowPolicy,
} from '../../../src/index.js';
import type { ConnectionRun } from './connection.run.js';
import type { Ask, HookPlan } from './schedule.types.js';
import { turns } from './turns.js';

/** Runs by the token that stands in their URL; the gateways have no other way to find theirs. */
const runs = new Map<string, ConnectionRun>();
const runOf = new WeakMap<WebSocket, ConnectionRun>();

function rejectionOf(how: Extract<HookPlan, { kind: 'rejects' }>['how']): Error {
  if (how === 'rejected') return new ConnectionRejectedException(4403, 'rejected');
  return how === 'ws' ? new WsException('rejected') : new Error('an internal detail');
}

abstract class TruthGateway implements OnGatewayConnection, OnGatewayDisconnect {
  handleConnection(client: WebSocket, request: IncomingMessage): void | Promise<void> {
    const run = runs.get(new URL(request.url!, 'ws://localhost').searchParams.get('run')!)!;
    runOf.set(client, run);
    run.connect(client);
    const { hook } = run.plan;
    switch (hook.kind) {
      case 'sync':
        return;
      case 'async':
        run.examining = true;
        return turns(hook.turns).finally(() => (run.examining = false));
      case 'rejects':
        if (hook.turns === 0) throw rejectionOf(hook.how);
        return turns(hook.turns).then(() => Promise.reject(rejectionOf(hook.how)));
      case 'closes':
        run.close({ by: 'raw', code: hook.code, reason: 'closed by handleConnection' });
        return;
      case 'never':
        return new Promise(() => {});
    }
  }

  handleDisconnect(client: WebSocket): void | Promise<void> {
    const run = runOf.get(client)!;
    run.disconnect();
    if (run.plan.leaving === 'async') return turns(3);
    if (run.plan.leaving === 'rejects') return Promise.reject(new Error('an internal detail'));
  }

  @SubscribeMessage('ask')
  ask(client: WebSocket, ask: Ask): unknown {
    return runOf.get(client)!.answer(ask);
  }
}

/** So that a peer that has frozen costs little. */
const BRIEF = {
  connect: { timeout: 400 },
  close: { flushTimeout: 150, handshakeTimeout: 150, maxTimeout: 1_500 },
  handlers: { settleTimeout: 100 },
};

@ConnectionPolicy(BRIEF)
@WebSocketGateway({ path: '/plain' })
class PlainGateway extends TruthGateway {}

@ConnectionPolicy(BRIEF)
@WebSocketGateway({ path: '/deflate', perMessageDeflate: true })
class DeflateGateway extends TruthGateway {}

function limited(overflow: OverflowPolicy): typeof BRIEF & ConnectionPolicyOptions {
  const send = { maxBuffered: 256 * 1024, overflow, onUnacknowledged: () => {} };
  return { ...BRIEF, send };
}

@ConnectionPolicy(limited('close'))
@WebSocketGateway({ path: '/close' })
class ClosingGateway extends TruthGateway {}

@ConnectionPolicy(limited('refuse'))
@WebSocketGateway({ path: '/refuse' })
class RefusingGateway extends TruthGateway {}

@ConnectionPolicy(limited('drop-oldest'))
@WebSocketGateway({ path: '/drop-oldest' })
class DroppingGateway extends TruthGateway {}

@ConnectionPolicy(limited('wait'))
@WebSocketGateway({ path: '/wait' })
class WaitingGateway extends TruthGateway {}

/** For a `handleDisconnect` that follows a hook which never settles. */
const PATIENT = { handlers: { settleTimeout: 1_000 } };

@ConnectionPolicy(PATIENT)
@WebSocketGateway({ path: '/patient' })
class PatientGateway extends TruthGateway {}

@ConnectionPolicy(PATIENT)
@WebSocketGateway({ path: '/patient-deflate', perMessageDeflate: true })
class PatientDeflateGateway extends TruthGateway {}

@Module({
  imports: [SafeCloseModule.forRoot({ send: { maxBuffered: Infinity } })],
  providers: [
    PlainGateway,
    DeflateGateway,
    PatientGateway,
    PatientDeflateGateway,
    ClosingGateway,
    RefusingGateway,
    DroppingGateway,
    WaitingGateway,
  ],
})
class TruthModule {}

/** One app that serves any number of schedules at once. */
export class TruthApp {
  readonly service: SafeCloseService;
  readonly port: number;
  readonly #app: INestApplication;
  readonly #byConnection = new Map<string, ConnectionRun>();
  #tokens = 0;

  private constructor(app: INestApplication) {
    this.#app = app;
    this.service = app.get(SafeCloseService);
    this.port = ((app.getHttpServer() as Server).address() as AddressInfo).port;
    this.service.events$.subscribe((event) => {
      const { connectionId } = event;
      let run = this.#byConnection.get(connectionId);
      if (!run) {
        run = this.#runOfConnection(connectionId);
        if (run) this.#byConnection.set(connectionId, run);
      }
      run?.onEvent(event);
    });
  }

  static async start(): Promise<TruthApp> {
    const app = await NestFactory.create(TruthModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    return new TruthApp(app);
  }

  async stop(): Promise<void> {
    await this.#app.close();
  }

  /** Lets connections to the URL find their run. */
  expect(run: ConnectionRun): { url: string; forget: () => void } {
    const token = (++this.#tokens).toString(36);
    runs.set(token, run);
    return {
      url: `ws://127.0.0.1:${this.port}${run.plan.path}?run=${token}`,
      forget: () => {
        runs.delete(token);
        if (run.connection) this.#byConnection.delete(run.connection.id);
      },
    };
  }

  #runOfConnection(id: string): ConnectionRun | undefined {
    const url = this.service.connection(id)?.request.url;
    return runs.get(new URL(url || '/', 'ws://localhost').searchParams.get('run') ?? '');
  }
}
