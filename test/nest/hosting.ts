import {
  Module,
  type DynamicModule,
  type INestApplication,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { SafeCloseModule, SafeCloseService, type SafeCloseOptions } from '../../src/index.js';
import { afterTest } from '../support/cleanup.js';
import { LogKeeper } from '../support/logs.js';

type Imports = NonNullable<ModuleMetadata['imports']>;

export interface Setup extends ModuleMetadata {
  /** `forRoot(options)` is imported unless this is false. */
  readonly safeClose?: SafeCloseOptions | false;
  /** What `main.ts` does before `listen()`; by default it sets a plain `WsAdapter`. */
  readonly prepare?: (app: INestApplication) => unknown;
  /** Makes the app; by default on Express. */
  readonly create?: (root: DynamicModule, logs: LogKeeper) => Promise<INestApplication>;
}

@Module({})
class RootModule {}

export function rootOf({ safeClose = {}, imports = [], ...metadata }: Setup): DynamicModule {
  const own: Imports = safeClose === false ? [] : [SafeCloseModule.forRoot(safeClose)];
  return { module: RootModule, ...metadata, imports: [...own, ...imports] };
}

function createOnExpress(root: DynamicModule, logs: LogKeeper): Promise<INestApplication> {
  return NestFactory.create(root, { logger: logs, abortOnError: false });
}

export class Hosted {
  constructor(
    readonly app: INestApplication,
    readonly logs: LogKeeper,
  ) {}

  get port(): number {
    return ((this.app.getHttpServer() as Server).address() as AddressInfo).port;
  }

  get service(): SafeCloseService {
    return this.app.get(SafeCloseService);
  }

  url(path = '/', port = this.port): string {
    return `ws://127.0.0.1:${port}${path}`;
  }

  get<T>(type: Type<T>): T {
    return this.app.get(type);
  }
}

/** Boots an app on the real network for one test. */
export async function host(setup: Setup): Promise<Hosted> {
  const { prepare = (app) => app.useWebSocketAdapter(new WsAdapter(app)) } = setup;
  const logs = new LogKeeper();
  const app = await (setup.create ?? createOnExpress)(rootOf(setup), logs);
  afterTest(() => app.close());
  await prepare(app);
  await app.listen(0, '127.0.0.1');
  return new Hosted(app, logs);
}

/** What the boot of an app fails with. */
export async function bootError(setup: Setup): Promise<Error> {
  try {
    await host(setup);
  } catch (error) {
    return error as Error;
  }
  throw new Error('The app was expected not to boot.');
}

/** A port for a gateway of its own, outside the range that the system takes for clients. */
export async function freePort(): Promise<number> {
  const port = 20_000 + Math.floor(Math.random() * 12_000);
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
  return free ? port : await freePort();
}
