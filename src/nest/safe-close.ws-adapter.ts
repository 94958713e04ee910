import { WsAdapter } from '@nestjs/platform-ws';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Observable } from 'rxjs';
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws';
import { SetupError } from '../core/errors.js';
import { MAX_TIMER_MS } from '../runtime/clock.js';
import { observe, observedWebSocketClass } from '../ws/observed-websocket.js';
import { own, ownedWebSocketClass } from '../ws/owned-websocket.js';
import { observationOf, ownerOf } from '../ws/ownership.js';
import type { AdapterHost } from './adapter.host.js';
import { GatedServer } from './gated.server.js';
import type { ServerGateways } from './gateways.js';
import { DispatchPlan, MessageDispatch, type Parse } from './message-dispatch.js';
import type { SafeCloseOptions } from './safe-close.options.js';
import { bindSession, type ExpiresAt } from './session.binding.js';
import { UpgradeRouter, type PathServer } from './upgrade-router.js';

type GatewayOptions = NonNullable<Parameters<WsAdapter['create']>[1]>;
type ConnectionCallback = (client: WebSocket, ...args: unknown[]) => void;

/** What an adapter has beside what it shows. */
interface AdapterParts {
  httpServer?: Server;
  messageParser: (data: Buffer | string) => { event: string; data: unknown } | void;
}

/** Nest's number for the HTTP server of the app itself. */
const APP_PORT = 0;
/** Beyond our own bounds, so that ws's close timer never fires before them. */
const WS_CLOSE_TIMEOUT_MARGIN_MS = 10_000;

/**
 * The adapter that the module installs. Extend it where you would extend `WsAdapter`; it does
 * what that one does, with sockets that have an owner and with messages dispatched directly.
 *
 * Server, socket class and the app's `WebSocket` come from one copy of ws, the app's own: the
 * copy that `@nestjs/platform-ws` brings along often is another, and mixing them breaks ws's
 * close timer and `instanceof WebSocket`.
 */
export class SafeCloseWsAdapter extends WsAdapter {
  #host: AdapterHost | undefined;
  readonly #owned = new WeakSet<object>();
  readonly #routers: UpgradeRouter[] = [];

  /** Called by the module; without one the adapter creates no server. */
  attach(host: AdapterHost): void {
    this.#host = host;
  }

  /** Takes over what a plain `WsAdapter` was made with. */
  adopt(adapter: WsAdapter): void {
    const { httpServer, messageParser } = adapter as unknown as AdapterParts;
    if (httpServer) Object.assign(this, { httpServer });
    this.setMessageParser(messageParser as never);
    // The app may go on with the one it made.
    adapter.setMessageParser = (parser) => this.setMessageParser(parser);
  }

  override create(port: number, options: GatewayOptions = {}): unknown {
    const host = this.#attached();
    const { server, path, namespace, ...wsOptions } = options;
    if (namespace) return super.create(port, options);
    const httpServer =
      port === APP_PORT
        ? ((this.httpServer as Server | undefined) ?? host.httpServer())
        : undefined;
    if (!httpServer && server) return server;
    host.gateways.beforeBinding();
    const gateways = host.gateways.behind(port, path, host.engine.policy);
    const observing = host.engine.options.mode === 'observe';
    const serverOptions: ServerOptions & { closeTimeout?: number } = {
      ...wsOptions,
      ...(!observing && {
        closeTimeout: Math.min(
          gateways.policy.close.maxTimeout + WS_CLOSE_TIMEOUT_MARGIN_MS,
          MAX_TIMER_MS,
        ),
      }),
      WebSocket: (observing ? observedWebSocketClass : ownedWebSocketClass)(
        (wsOptions['WebSocket'] as typeof WebSocket) ?? WebSocket,
      ),
    };
    const patience = gateways.policy.connect.timeout;
    const make = (where: ServerOptions): WebSocketServer =>
      observing
        ? new WebSocketServer({ ...serverOptions, ...where })
        : new GatedServer({ ...serverOptions, ...where }, host.engine.gate, patience);
    const made =
      httpServer || (path && port !== APP_PORT)
        ? this.#serverOfPath(port, path ?? '', httpServer, make)
        : make({ port, ...(path && { path }) });
    if (observing) this.#observeConnections(made, host);
    else this.#ownConnections(made, gateways, host);
    return made;
  }

  /** Keeps the seal of readiness behind the last gateway's own listener. */
  override bindClientConnect(server: WebSocketServer, callback: ConnectionCallback): void {
    server.off('connection', sealReadiness);
    super.bindClientConnect(server, callback);
    if (this.#owned.has(server)) server.on('connection', sealReadiness);
  }

  /** Once, also where the app has removed all listeners of the socket. */
  override bindClientDisconnect(client: WebSocket, callback: (reason?: unknown) => void): void {
    const owner = ownerOf(client);
    if (!owner) {
      super.bindClientDisconnect(client, callback);
      return;
    }
    owner.onceEnded(({ code }) => callback(code));
  }

  override bindMessageHandlers(
    client: WebSocket,
    handlers: MessageMappingProperties[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    const owner = ownerOf(client);
    if (!owner) {
      super.bindMessageHandlers(client, watched(client, handlers), transform);
      return;
    }
    const { dispatcher } = owner;
    if (dispatcher instanceof MessageDispatch) dispatcher.bind(handlers);
  }

  override async dispose(): Promise<void> {
    for (const router of this.#routers.splice(0)) router.stop();
    await super.dispose();
  }

  /** As the stock one, but with a router that leaves other paths alone. */
  protected override ensureHttpServerExists(
    port: number,
    httpServer: Server = createServer(),
  ): Server | undefined {
    if (this.httpServersRegistry.has(port)) return undefined;
    this.httpServersRegistry.set(port, httpServer);
    this.#routers.push(
      new UpgradeRouter(httpServer, () => (this.wsServersRegistry.get(port) ?? []) as PathServer[]),
    );
    return httpServer;
  }

  #serverOfPath(
    port: number,
    path: string,
    httpServer: Server | undefined,
    make: (where: ServerOptions) => WebSocketServer,
  ): WebSocketServer {
    const started = this.ensureHttpServerExists(port, httpServer);
    if (port !== APP_PORT) started?.listen(port);
    const made = make({ noServer: true });
    this.addWsServerToRegistry(made, port, path);
    return made;
  }

  #ownConnections(server: WebSocketServer, gateways: ServerGateways, host: AdapterHost): void {
    const { runtime, options } = host.engine;
    const { identity } = options;
    const expiresAt = gateways.policy.session.expiresAt as ExpiresAt | undefined;
    const decode = decoderOf(options.serializer);
    let plan = new DispatchPlan(decode ?? this.#parser, gateways.handlers);
    server.on('error', (error) => this.logger.error(error));
    server.on('connection', (client, request: IncomingMessage) => {
      hideFromJson(request);
      const ip = host.engine.addressOf(request);
      const owner = own(client, request, runtime, gateways.policy, ip);
      owner.awaitReadiness();
      const parse = decode ?? this.#parser;
      if (parse !== plan.parse) plan = new DispatchPlan(parse, gateways.handlers);
      owner.dispatchTo(new MessageDispatch(owner, plan));
      bindSession(owner, client, request, { identity, expiresAt });
      host.engine.goodbyes.bind(owner, client, gateways.instances);
      for (const gateway of gateways.requestScoped) owner.expectHook(gateway);
    });
    server.on('connection', sealReadiness);
    this.#owned.add(server);
  }

  #observeConnections(server: WebSocketServer, host: AdapterHost): void {
    this.bindErrorHandler(server);
    server.on('connection', (client, request: IncomingMessage) => {
      observe(client, request, host.engine.runtime, host.engine.addressOf(request));
    });
  }

  /** The app may set another one at any time. */
  get #parser(): Parse {
    return (this as unknown as AdapterParts).messageParser;
  }

  #attached(): AdapterHost {
    if (this.#host) return this.#host;
    throw new SetupError(
      'ERR_NO_MODULE',
      'SafeCloseWsAdapter needs its module: add SafeCloseModule.forRoot() to the imports of your ' +
        'root module.',
    );
  }
}

function decoderOf(serializer: SafeCloseOptions['serializer']): Parse | undefined {
  return serializer && ((data, isBinary) => serializer.decode(data, isBinary));
}

/** After the last gateway's listener: every `handleConnection` that is to run has begun. */
function sealReadiness(client: WebSocket): void {
  ownerOf(client)?.sealReadiness();
}

/** In `mode: 'observe'` handlers run as ever, and the replies that will be dropped are counted. */
function watched(client: WebSocket, handlers: MessageMappingProperties[]): typeof handlers {
  const observation = observationOf(client);
  if (!observation) return handlers;
  return handlers.map((handler) => ({
    ...handler,
    callback: (...args: unknown[]) => observation.watchHandler(() => handler.callback(...args)),
  }));
}

/**
 * Nest 12 puts the arguments of a failed `handleConnection` into the exception frame: the whole
 * upgrade request, headers included. What serialises to nothing can't get out (G6).
 */
function hideFromJson(request: IncomingMessage): void {
  Object.defineProperty(request, 'toJSON', HIDDEN);
}

const HIDDEN: PropertyDescriptor = { value: () => undefined, configurable: true };
