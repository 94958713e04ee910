import {
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { Server } from 'node:http';
import { SetupError } from '../core/errors.js';
import { assertSupportedWs } from '../ws/ws.internals.js';
import { installAdapter, keepAdapter } from './adapter.installation.js';
import { fillArgumentsAtOnce } from './handler-arguments.js';
import { assertLast, putLast } from './hook.order.js';
import { ConnectionLifecycleInterceptor } from './connection-lifecycle.interceptor.js';
import { createEngine, type SafeCloseEngine } from './safe-close.engine.js';
import {
  ConfigurableModuleClass,
  type ASYNC_OPTIONS_TYPE,
  type OPTIONS_TYPE,
} from './safe-close.module-definition.js';
import { SafeCloseService } from './safe-close.service.js';
import { SAFE_CLOSE_ENGINE, SAFE_CLOSE_OPTIONS } from './safe-close.tokens.js';
import { Takeover } from './takeover.js';

/** Apps that have the module already; by their configuration, as that is one an app. */
const INSTALLED = Symbol.for('nestjs-safe-close.installed');

/** Import it once, in the root module; everything else of the app stays as it is. */
@Module({
  providers: [
    { provide: SAFE_CLOSE_ENGINE, inject: [SAFE_CLOSE_OPTIONS], useFactory: createEngine },
    Takeover,
    SafeCloseService,
    ConnectionLifecycleInterceptor,
  ],
  exports: [SAFE_CLOSE_ENGINE, Takeover, SafeCloseService, ConnectionLifecycleInterceptor],
})
export class SafeCloseModule
  extends ConfigurableModuleClass
  implements OnApplicationBootstrap, OnModuleDestroy
{
  readonly #engine: SafeCloseEngine;
  readonly #modules: ModulesContainer;

  constructor(
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(SAFE_CLOSE_ENGINE) engine: SafeCloseEngine,
    @Inject(ApplicationConfig) config: ApplicationConfig,
    @Inject(Takeover) takeover: Takeover,
    @Inject(HttpAdapterHost) http: HttpAdapterHost,
  ) {
    super();
    this.#engine = engine;
    this.#modules = modules;
    claim(config);
    putLast(modules, SafeCloseModule);
    assertSupportedWs();
    const { gateways } = takeover;
    if (engine.options.installAdapter === false) {
      gateways.wrapPrototypes(takeover);
      keepAdapter(config, gateways);
      return;
    }
    gateways.wrapPrototypes();
    if (engine.options.mode !== 'observe') fillArgumentsAtOnce();
    installAdapter(config, {
      engine,
      gateways,
      httpServer: () => http.httpAdapter?.getHttpServer() as Server | undefined,
    });
  }

  /** Directly before the app is up: the hooks of all other modules have run. */
  onApplicationBootstrap(): void {
    assertLast(this.#modules, SafeCloseModule);
    this.#engine.gate.release();
  }

  /** Before `onModuleDestroy` of any other module: handlers still have all that they need. */
  async onModuleDestroy(): Promise<void> {
    if (this.#engine.options.mode !== 'observe') await this.#engine.drain.drain();
  }

  /** @param options - all optional; faulty ones fail the boot, all in one error */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    // The builder's own value lacks isGlobal, which is to be checked with the rest.
    return {
      ...super.forRoot(Object(options)),
      providers: [{ provide: SAFE_CLOSE_OPTIONS, useValue: options }],
    };
  }

  /** The same, with options from a factory, a class or a provider (`create()`). */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }
}

function claim(config: ApplicationConfig): void {
  if (INSTALLED in config) {
    throw new SetupError(
      'ERR_MODULE_TWICE',
      'SafeCloseModule.forRoot() stands in two modules: keep the one in the root module. It is ' +
        'global, so SafeCloseService can be injected anywhere.',
    );
  }
  Object.defineProperty(config, INSTALLED, { value: true });
}
