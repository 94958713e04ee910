import type { WebSocketAdapter } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { InvalidOptionsError, SetupError } from '../core/errors.js';
import type { AdapterHost } from './adapter.host.js';
import type { Gateways } from './gateways.js';
import { SafeCloseWsAdapter } from './safe-close.ws-adapter.js';

/** By name, too: an app may have a second copy of `@nestjs/platform-ws`. */
function isPlainWsAdapter(adapter: object): adapter is WsAdapter {
  const { constructor } = Object.getPrototypeOf(adapter) as { constructor: { name: string } };
  return constructor === WsAdapter || constructor.name === 'WsAdapter';
}

function parserOf(adapter: WsAdapter): string {
  return String((adapter as unknown as { messageParser: unknown }).messageParser);
}

/** By source, as on Nest 11 each adapter has a default parser of its own. */
function hasOwnParser(adapter: WsAdapter): boolean {
  return parserOf(adapter) !== parserOf(new WsAdapter());
}

function foreignAdapter(adapter: object): SetupError {
  const { name } = adapter.constructor;
  return new SetupError(
    'ERR_FOREIGN_ADAPTER',
    `SafeCloseModule can't own the sockets of ${name}. Write\n` +
      `  class ${name} extends SafeCloseWsAdapter\n` +
      'instead of "extends WsAdapter"; or keep the adapter as it is, with\n' +
      '  SafeCloseModule.forRoot({ installAdapter: false })\n' +
      'and @UseInterceptors(ConnectionLifecycleInterceptor) on each gateway.',
  );
}

/**
 * Installs the adapter before any gateway is bound, and stays: a plain `WsAdapter` set later, as
 * every app does in `main.ts`, is adopted rather than put in its place.
 */
export function installAdapter(config: ApplicationConfig, host: AdapterHost): void {
  const set = (adapter: WebSocketAdapter): void => {
    Reflect.apply(Object.getPrototypeOf(config).setIoAdapter, config, [adapter]);
  };
  let installed = new SafeCloseWsAdapter();
  installed.attach(host);
  const before = config.getIoAdapter() as WebSocketAdapter | null;
  set(installed);
  const use = (adapter: WebSocketAdapter): void => {
    if (adapter instanceof SafeCloseWsAdapter) {
      adapter.attach(host);
      installed = adapter;
      set(adapter);
    } else if (isPlainWsAdapter(adapter)) {
      installed.adopt(adapter);
      new Logger('SafeClose').log('WsAdapter adopted: SafeCloseWsAdapter stands in its place.');
    } else {
      throw foreignAdapter(adapter);
    }
    if (host.engine.options.serializer && hasOwnParser(installed)) {
      throw new InvalidOptionsError('SafeCloseModule.forRoot()', [
        {
          option: 'serializer',
          received: host.engine.options.serializer,
          expected: "none beside the adapter's messageParser; keep one of the two",
        },
      ]);
    }
  };
  Object.defineProperty(config, 'setIoAdapter', { value: use, configurable: true });
  if (before) use(before);
}

/** Leaves the adapter to the app; Nest asks for it directly before it binds the gateways. */
export function keepAdapter(config: ApplicationConfig, gateways: Gateways): void {
  const get = (): WebSocketAdapter => {
    gateways.beforeBinding();
    return Reflect.apply(Object.getPrototypeOf(config).getIoAdapter, config, []);
  };
  Object.defineProperty(config, 'getIoAdapter', { value: get, configurable: true });
}
