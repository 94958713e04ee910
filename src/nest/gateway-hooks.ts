import type { Owner } from '../runtime/owner.js';
import { isThenable } from '../runtime/thenable.js';
import { observationOf, ownerOf } from '../ws/ownership.js';
import { onHookError } from './hook.errors.js';

type Hook = (this: object, client: unknown, ...args: unknown[]) => unknown;
type HookName = 'handleConnection' | 'handleDisconnect';

export type GatewayClass = object & { readonly name: string };

const WRAPPED = Symbol.for('nestjs-safe-close.wrapped-hook');

/**
 * Runs `handleConnection` so that the owner knows when it settles, and nothing it throws gets into
 * Nest, which would drop it unhandled and end the process.
 */
function connect(owner: Owner, gateway: GatewayClass, call: () => unknown): unknown {
  owner.beginHook(gateway);
  const settle = (): void => owner.settleHook(gateway);
  const fail = (error: unknown): void => {
    onHookError(owner, `handleConnection of ${gateway.name}`, error);
    settle();
  };
  try {
    const result = call();
    if (isThenable(result)) return Promise.resolve(result).then(settle, fail);
    settle();
  } catch (error) {
    fail(error);
  }
  return undefined;
}

/** The hook of a connection that another one must leave first; not at all where it ends before. */
async function connectLater(
  owner: Owner,
  held: Promise<void>,
  gateway: GatewayClass,
  call: () => unknown,
): Promise<void> {
  owner.expectHook(gateway);
  await held;
  if (owner.live) await connect(owner, gateway, call);
  else owner.neverBegun(gateway);
}

function disconnect(owner: Owner, gateway: GatewayClass, call: () => unknown): void {
  const fail = (error: unknown): void => {
    owner.tell('hook-rejection', {
      message: `handleDisconnect of ${gateway.name} failed.`,
      error,
    });
  };
  owner.disconnect(gateway, () => {
    try {
      const result = call();
      return isThenable(result) ? Promise.resolve(result).catch(fail) : undefined;
    } catch (error) {
      fail(error);
      return undefined;
    }
  });
}

/** Makes the owners of clients whose adapter is not ours. */
export interface OwnerMaker {
  /** None where the instance belongs to another app of the process. */
  atHook(
    client: unknown,
    gateway: GatewayClass,
    instance: object,
    request: unknown,
  ): Owner | undefined;
}

/** Of every app that has the gateway, as long as the app lives. */
const makers = new WeakMap<GatewayClass, WeakRef<OwnerMaker>[]>();

function makeOwner(gateway: GatewayClass, instance: object, args: unknown[]): Owner | undefined {
  for (const maker of makers.get(gateway) ?? []) {
    const owner = maker.deref()?.atHook(args[0], gateway, instance, args[1]);
    if (owner) return owner;
  }
  return undefined;
}

function wrapHook(target: object, hook: HookName, gateway: GatewayClass): void {
  const original = (target as Record<string, unknown>)[hook];
  if (typeof original !== 'function' || WRAPPED in original) return;
  const wrapped: Hook = function (client, ...args) {
    const call = (): unknown => Reflect.apply(original as Hook, this, [client, ...args]);
    const observation = observationOf(client);
    if (observation) return observation.watchHook(call);
    const owner = ownerOf(client) ?? makeOwner(gateway, this, [client, ...args]);
    if (!owner) return call();
    if (hook === 'handleDisconnect') return disconnect(owner, gateway, call);
    return owner.held
      ? connectLater(owner, owner.held, gateway, call)
      : connect(owner, gateway, call);
  };
  Object.defineProperty(wrapped, WRAPPED, { value: true });
  Object.defineProperty(target, hook, { value: wrapped, writable: true, configurable: true });
}

/**
 * Wraps the hooks of a gateway, on its prototype so that request-scoped instances have them, too,
 * or on an instance that has them as its own properties. Where a client has no owner, as in an
 * app without this module, a wrapped hook is the hook itself.
 */
export function wrapHooks(target: object, gateway: GatewayClass, maker?: OwnerMaker): void {
  if (maker) {
    const others = makers.get(gateway) ?? [];
    makers.set(gateway, [...others.filter((other) => other.deref()), new WeakRef(maker)]);
  }
  wrapHook(target, 'handleConnection', gateway);
  wrapHook(target, 'handleDisconnect', gateway);
}
