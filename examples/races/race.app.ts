import { Module, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import type { AddressInfo } from 'node:net';
import { SafeCloseModule, SafeCloseService, type SafeCloseOptions } from 'nestjs-safe-close';
import { RaceGateway } from './race.gateway.js';

export type Stack = 'stock' | 'safe';

/** Keeps the log of both apps out of the table, and counts its lines. */
class CountingLogger implements LoggerService {
  lines = 0;
  log = (): void => void this.lines++;
  error = this.log;
  warn = this.log;
  debug = this.log;
}

export class RaceApp {
  private constructor(
    readonly url: string,
    readonly gateway: RaceGateway,
    /** `undefined` in the stock app. */
    readonly safeClose: SafeCloseService | undefined,
    readonly logger: CountingLogger,
    readonly close: () => Promise<void>,
  ) {}

  /** Two apps that differ in one line of `imports`. */
  static async start(stack: Stack, options: SafeCloseOptions = {}): Promise<RaceApp> {
    @Module({
      imports: stack === 'safe' ? [SafeCloseModule.forRoot(options)] : [],
      providers: [RaceGateway],
    })
    class RaceModule {}

    const logger = new CountingLogger();
    const app = await NestFactory.create(RaceModule, { logger });
    app.useWebSocketAdapter(new WsAdapter(app));
    await app.listen(0);
    const { port } = app.getHttpServer().address() as AddressInfo;
    return new RaceApp(
      `ws://localhost:${port}`,
      app.get(RaceGateway),
      stack === 'safe' ? app.get(SafeCloseService) : undefined,
      logger,
      () => app.close(),
    );
  }
}

/** Starts an app for one race, and stops it after. */
export async function inApp<T>(
  stack: Stack,
  race: (app: RaceApp) => Promise<T>,
  options?: SafeCloseOptions,
): Promise<T> {
  const app = await RaceApp.start(stack, options);
  try {
    return await race(app);
  } finally {
    await app.close();
  }
}
