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

function onHookError(owner: Owner, gateway: string, hook: HookName, error: unknown): void {
  const { code, reason, expected } = rejectionOf(error);
  if (!expected || hook === 'handleDisconnect') {
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

/** Finds, or makes, the owner of a client that a hook is called with. */
export type OwnerFinder = (client: unknown) => Owner | undefined;

/** For gateways whose adapter is not ours: who takes ownership of their clients. */
const finders = new WeakMap<object, OwnerFinder>();

function wrapHook(target: object, hook: HookName, gateway: GatewayClass): void {
  const original = (target as Record<string, unknown>)[hook];
  if (typeof original !== 'function' || WRAPPED in original) return;
  const wrapped: Hook = function (client, ...args) {
    const call = (): unknown => Reflect.apply(original as Hook, this, [client, ...args]);
    const observation = observationOf(client);
    if (observation) return observation.watchHook(call);
    const owner = ownerOf(client) ?? finders.get(gateway)?.(client);
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
export function wrapHooks(target: object, gateway: GatewayClass, find?: OwnerFinder): void {
  if (find) finders.set(gateway, find);
  wrapHook(target, 'handleConnection', gateway);
  wrapHook(target, 'handleDisconnect', gateway);
}
