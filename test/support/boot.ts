import {
  Module,
  type DynamicModule,
  type INestApplication,
  type LoggerService,
  type ModuleMetadata,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import type { AddressInfo, Server } from 'node:net';
import { SafeCloseModule, type SafeCloseOptions } from '../../src/index.js';
import { stack } from './stack.js';

export interface AppParts {
  readonly gateways: readonly Type[];
  readonly providers?: readonly Provider[];
  readonly imports?: ModuleMetadata['imports'];
  /** Of `SafeCloseModule.forRoot()`; the stock stack has nothing like them. */
  readonly options?: SafeCloseOptions;
  /** Where to listen; by default on loopback. */
  readonly address?: string;
  /** What `main.ts` does before `listen()`, beside setting the adapter. */
  readonly prepare?: (app: INestApplication) => unknown;
}

@Module({})
class RootModule {}

/**
 * Boots an app as users write it. The two stacks differ in one line: the import of the module.
 * Free of jest, as child processes use it, too.
 */
export async function boot(
  { gateways, providers = [], imports = [], options, address = '127.0.0.1', prepare }: AppParts,
  logger: LoggerService | false,
): Promise<INestApplication> {
  const root: DynamicModule = {
    module: RootModule,
    imports: [...(stack === 'safe' ? [SafeCloseModule.forRoot(options)] : []), ...imports],
    providers: [...gateways, ...providers],
  };
  const app = await NestFactory.create(root, { logger, abortOnError: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  await prepare?.(app);
  await app.listen(0, address);
  return app;
}

export function portOf(app: INestApplication): number {
  return ((app.getHttpServer() as Server).address() as AddressInfo).port;
}
