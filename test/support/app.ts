import type { INestApplication, Type } from '@nestjs/common';
import type { WebSocket } from 'ws';
import {
  SafeCloseService,
  type CloseOptions,
  type CloseOutcome,
  type RaceKind,
} from '../../src/index.js';
import { boot, portOf, type AppParts } from './boot.js';
import { afterTest } from './cleanup.js';
import { LogKeeper } from './logs.js';
import { UntoldError } from './losses.js';
import { stack } from './stack.js';
import { within } from './waiting.js';

/** A running app, and what can be asked of it on either stack. */
export class TestApp {
  constructor(
    readonly nest: INestApplication,
    readonly logs: LogKeeper,
  ) {}

  get port(): number {
    return portOf(this.nest);
  }

  url(path = '/'): string {
    return `ws://127.0.0.1:${this.port}${path}`;
  }

  gateway<T>(type: Type<T>): T {
    return this.nest.get(type);
  }

  /** On the stock stack there is nobody to ask, which loses the race. */
  get service(): SafeCloseService {
    if (stack === 'stock') throw new UntoldError('Nobody on the stock stack tells of this.');
    return this.nest.get(SafeCloseService);
  }

  /** Closes with options; the stock stack knows of none. */
  close(socket: WebSocket, code: number, reason: string, options: CloseOptions): void {
    if (stack === 'stock') socket.close(code, reason);
    else void this.service.close(socket, code, reason, options);
  }

  /** What everybody who closed this socket is told. */
  async outcomeOf(socket: WebSocket): Promise<CloseOutcome> {
    return await within(this.service.connection(socket)!.closed, 'the outcome of the close');
  }

  /** How often a kind of race was met. */
  met(kind: RaceKind): number {
    return this.service.report().races[kind];
  }
}

/** Boots an app for one test, and closes it afterwards. */
export async function startApp(parts: AppParts): Promise<TestApp> {
  const logs = new LogKeeper();
  const nest = await boot(parts, logs);
  afterTest(() => nest.close());
  return new TestApp(nest, logs);
}
