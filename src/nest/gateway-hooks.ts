import { WsException } from '@nestjs/websockets';
import { INTERNAL_ERROR, POLICY_VIOLATION } from '../core/close-code.js';
import type { Owner } from '../runtime/owner.js';
import { observationOf, ownerOf } from '../ws/ownership.js';
import { ConnectionRejectedException } from './connection-rejected.exception.js';

type Hook = (this: object, client: unknown, ...args: unknown[]) => unknown;
type HookName = 'handleConnection' | 'handleDisconnect';

export type GatewayClass = object & { readonly name: string };

const WRAPPED = Symbol.for('nestjs-safe-close.wrapped-hook');

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

/** With what code and reason a rejection closes; nothing internal gets into the reason. */
function rejectionOf(error: unknown): { code: number; reason: string; expected: boolean } {
  if (error instanceof ConnectionRejectedException) {
    return { code: error.code, reason: error.reason, expected: true };
  }
  if (error instanceof WsException) {
    const given = error.getError();
    return {
      code: POLICY_VIOLATION,
      reason: typeof given === 'string' ? given : error.message,
      expected: true,
    };
  }
  return { code: INTERNAL_ERROR, reason: '', expected: false };
}

/** It stopped as the connection's signal told it to; Node's own functions put that into `cause`. */
function heedsSignal({ signal }: Owner, error: unknown): boolean {
  if (!signal.aborted) return false;
  const { cause } = Object(error) as { cause?: unknown };
  return error === signal.reason || cause === signal.reason;
}

function onHookError(owner: Owner, gateway: string, hook: HookName, error: unknown): void {
  const { code, reason, expected } = rejectionOf(error);
  if (hook === 'handleDisconnect' || !(expected || heedsSignal(owner, error))) {
    owner.tell('hook-rejection', {
      message:
        `${hook} of ${gateway} failed. In handleConnection, throw a ConnectionRejectedException ` +
        'to close with a code of your own.',
      error,
    });
  }
  if (hook === 'handleConnection') owner.reject(code, reason);
}

/**
 * Runs a hook so that the owner knows when it settles, and nothing it throws gets into Nest, which
 * would drop it unhandled and end the process.
 */
function runHook(
  owner: Owner,
  gateway: GatewayClass,
  hook: HookName,
  call: () => unknown,
): unknown {
  const connecting = hook === 'handleConnection';
  if (connecting) owner.beginHook(gateway);
  try {
    const result = call();
    if (isThenable(result)) {
      return Promise.resolve(result).then(
        () => connecting && owner.settleHook(gateway),
        (error: unknown) => onHookError(owner, gateway.name, hook, error),
      );
    }
    if (connecting) owner.settleHook(gateway);
  } catch (error) {
    onHookError(owner, gateway.name, hook, error);
  }
  return undefined;
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
    return owner ? runHook(owner, gateway, hook, call) : call();
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
