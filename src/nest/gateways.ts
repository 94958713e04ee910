import type { ModulesContainer } from '@nestjs/core';
import { GATEWAY_METADATA, GATEWAY_OPTIONS, PORT_METADATA } from '@nestjs/websockets/constants.js';
import { WebSocketsController } from '@nestjs/websockets/web-sockets-controller.js';
import { SetupError } from '../core/errors.js';
import type { ConnectionPolicyValues } from '../runtime/connection.policy.js';
import { CONNECTION_POLICY_METADATA } from './connection-policy.decorator.js';
import { wrapHooks, type GatewayClass, type OwnerMaker } from './gateway-hooks.js';
import { traitsByMessage, type TraitsByMessage } from './handler.decorators.js';
import { resolvePolicy, withOptions } from './options.validation.js';
import type { ConnectionPolicyOptions } from './safe-close.options.js';

/** One gateway as Nest has registered it. */
interface Gateway {
  readonly type: GatewayClass & { readonly prototype: object };
  readonly port: number;
  readonly path: string | undefined;
  readonly policy: ConnectionPolicyOptions | undefined;
  readonly wrapper: {
    readonly instance: object | undefined;
    isDependencyTreeStatic(): boolean;
  };
}

/** What the adapter needs to know of the gateways behind one server and path. */
export interface ServerGateways {
  readonly policy: ConnectionPolicyValues;
  /** Gateways whose `handleConnection` Nest calls later, once their instance has been made. */
  readonly requestScoped: readonly GatewayClass[];
  /** What is said of the handlers of each gateway that has some, as Nest binds them; [] if nothing. */
  readonly handlers: readonly TraitsByMessage[];
  /** Those that have one instance for all clients; made by the time a client connects. */
  readonly instances: () => readonly object[];
}

const HOOKS = ['handleConnection', 'handleDisconnect'];

/** The gateways of an app, found before any of them is bound. */
export class Gateways {
  #bound = false;
  readonly #instances = new WeakSet<object>();

  constructor(private readonly modules: ModulesContainer) {}

  /** Must run before gateways are bound: Nest keeps the hooks that it finds then. */
  wrapPrototypes(maker?: OwnerMaker): void {
    for (const { type } of this.#all()) wrapHooks(type.prototype, type, maker);
  }

  /** Called once instances exist and before any gateway is bound. */
  beforeBinding(): void {
    if (this.#bound) return;
    this.#bound = true;
    const gateways = this.#all();
    refuseRequestScopedOnNest11(gateways);
    for (const { type, wrapper } of gateways) {
      const { instance } = wrapper;
      if (!wrapper.isDependencyTreeStatic()) addMissingHooks(type);
      else if (instance && HOOKS.some((hook) => Object.hasOwn(instance, hook))) {
        wrapHooks(instance, type);
      }
    }
  }

  /** Whether an instance of a gateway belongs to this app, not to another of the process. */
  include(gateway: GatewayClass, instance: object): boolean {
    if (this.#instances.has(instance)) return true;
    const included = this.#all().some(
      ({ type, wrapper }) =>
        type === gateway && (wrapper.instance === instance || !wrapper.isDependencyTreeStatic()),
    );
    if (included) this.#instances.add(instance);
    return included;
  }

  /** Those that share a server and path with this one. */
  beside(gateway: GatewayClass, base: ConnectionPolicyValues): ServerGateways {
    const found = this.#all().find(({ type }) => type === gateway);
    if (found) return this.behind(found.port, found.path, base);
    return { policy: base, requestScoped: [], handlers: [], instances: () => [] };
  }

  /** The gateways that share a server and path share its connections, and so a policy. */
  behind(port: number, path: string | undefined, base: ConnectionPolicyValues): ServerGateways {
    const gateways = this.#all().filter(
      (gateway) => gateway.port === port && gateway.path === path,
    );
    let policy = base;
    const decidedBy = new Map<string, { gateway: string; value: unknown }>();
    for (const { type, policy: options } of gateways) {
      if (!options) continue;
      resolvePolicy(type.name, options, base);
      for (const [option, value] of leavesOf(options)) {
        const other = decidedBy.get(option);
        if (other && other.value !== value) throw conflict(option, other, type.name, value);
        decidedBy.set(option, { gateway: type.name, value });
      }
      policy = withOptions(policy, options);
    }
    const requestScoped = gateways
      .filter(
        ({ type, wrapper }) =>
          'handleConnection' in type.prototype && !wrapper.isDependencyTreeStatic(),
      )
      .map(({ type }) => type);
    const lasting = gateways.filter(({ wrapper }) => wrapper.isDependencyTreeStatic());
    let made: readonly object[] = [];
    const instances = (): readonly object[] => {
      // Asked for each connection.
      if (made.length < lasting.length)
        made = lasting.flatMap(({ wrapper }) => wrapper.instance ?? []);
      return made;
    };
    const declared = gateways
      .map(({ type }) => traitsByMessage(type, policy.handlers.order))
      .filter(({ size }) => size > 0);
    const any = declared.some((traits) => [...traits.values()].some(Boolean));
    const handlers = any ? declared : [];
    return { policy, requestScoped, handlers, instances };
  }

  #all(): Gateway[] {
    return [...this.modules.values()].flatMap(({ providers }) =>
      [...providers.values()].flatMap((wrapper) => {
        const { metatype } = wrapper;
        if (typeof metatype !== 'function' || wrapper.isNotMetatype) return [];
        if (!Reflect.hasMetadata(GATEWAY_METADATA, metatype)) return [];
        const options = Reflect.getMetadata(GATEWAY_OPTIONS, metatype) as
          | { path?: string }
          | undefined;
        return [
          {
            type: metatype,
            port: (Reflect.getMetadata(PORT_METADATA, metatype) as number | undefined) ?? 0,
            path: options?.path,
            policy: Reflect.getMetadata(CONNECTION_POLICY_METADATA, metatype) as
              | ConnectionPolicyOptions
              | undefined,
            wrapper: wrapper as Gateway['wrapper'],
          },
        ];
      }),
    );
  }
}

/**
 * Where a request-scoped gateway can't be made, Nest 12 hands the error to the exception filter
 * only if the gateway has the hook; otherwise the rejection ends the process.
 */
function addMissingHooks(type: Gateway['type']): void {
  for (const hook of HOOKS) {
    if (hook in type.prototype) continue;
    Object.defineProperty(type.prototype, hook, { value() {}, writable: true, configurable: true });
  }
  wrapHooks(type.prototype, type);
}

/** Nest 11 makes them without their dependencies. */
function refuseRequestScopedOnNest11(gateways: readonly Gateway[]): void {
  if ('createRequestScopedHandler' in WebSocketsController.prototype) return;
  const scoped = gateways.filter(({ wrapper }) => !wrapper.isDependencyTreeStatic());
  if (scoped.length === 0) return;
  throw new SetupError(
    'ERR_REQUEST_SCOPED_GATEWAY',
    `${scoped.map(({ type }) => type.name).join(', ')}: Nest 11 runs the handlers of a ` +
      'request-scoped gateway with undefined dependencies. Inject them with the default scope, ' +
      'or use Nest 12.',
  );
}

function leavesOf(options: ConnectionPolicyOptions): [string, unknown][] {
  return Object.entries(options).flatMap(([group, values]) =>
    Object.entries((values as object | undefined) ?? {})
      .filter(([, value]) => value !== undefined)
      .map(([name, value]): [string, unknown] => [`${group}.${name}`, value]),
  );
}

function conflict(
  option: string,
  first: { gateway: string; value: unknown },
  gateway: string,
  value: unknown,
): SetupError {
  return new SetupError(
    'ERR_POLICY_CONFLICT',
    `${first.gateway} and ${gateway} share a server and path, but their @ConnectionPolicy() ` +
      `sets ${option} to ${String(first.value)} and ${String(value)}: make them equal, or give ` +
      'one gateway a path of its own.',
  );
}
