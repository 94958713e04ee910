import { SetMetadata } from '@nestjs/common';
import { MESSAGE_MAPPING_METADATA, MESSAGE_METADATA } from '@nestjs/websockets/constants.js';
import type { HandlerOrder, HandlerTraits } from '../runtime/handler-call.js';

const ORDER_METADATA = 'safe-close:handler-order';
const CONFLATE_METADATA = 'safe-close:conflate';

/** One key for all replies of a handler, or a key for each; `undefined`: that one is kept. */
export type ConflationKey = string | ((reply: never) => string | undefined);

/**
 * On a handler, or on a gateway for all of its handlers: they run one after the other on each
 * connection, in the order of their messages, so that replies leave in that order and what they
 * read, await and write is theirs alone. Over `handlers.order`.
 *
 * A handler whose Observable never completes holds up all serial ones behind it.
 */
export function Serial(): MethodDecorator & ClassDecorator {
  return SetMetadata(ORDER_METADATA, 'serial' satisfies HandlerOrder);
}

/** On a handler, or on a gateway: they start at once, beside serial ones. Over `handlers.order`. */
export function Concurrent(): MethodDecorator & ClassDecorator {
  return SetMetadata(ORDER_METADATA, 'concurrent' satisfies HandlerOrder);
}

/**
 * On a handler, or on a gateway: while the reader is behind, only the newest reply of each key is
 * kept, as with prices and cursors; older ones are `dropped` with `cause: 'conflated'`. Pushes
 * have the option `conflate`.
 *
 * @param key - one for all replies of the handler, or a function of a reply
 */
export function Conflate(key: ConflationKey): MethodDecorator & ClassDecorator {
  return SetMetadata(CONFLATE_METADATA, key);
}

/** What the decorators of a handler, or else of its gateway, say. */
export function traitsOf(
  gateway: object,
  handler: object,
  order: HandlerOrder,
): HandlerTraits | undefined {
  const told = (key: string): unknown =>
    Reflect.getMetadata(key, handler) ?? Reflect.getMetadata(key, gateway);
  const own = (told(ORDER_METADATA) as HandlerOrder | undefined) ?? order;
  const key = told(CONFLATE_METADATA) as ConflationKey | undefined;
  if (own === 'concurrent' && key === undefined) return undefined;
  const conflate = typeof key === 'string' ? () => key : (key as HandlerTraits['conflate']);
  return { order: own, conflate };
}

/** The handlers of one gateway, by the message that they subscribe to. */
export type TraitsByMessage = ReadonlyMap<unknown, HandlerTraits | undefined>;

export function traitsByMessage(
  gateway: object & { readonly prototype: object },
  order: HandlerOrder,
): TraitsByMessage {
  const traits = new Map<unknown, HandlerTraits | undefined>();
  let { prototype } = gateway as { prototype: object | null };
  for (; prototype && prototype !== Object.prototype; prototype = parentOf(prototype)) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const handler: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value;
      if (typeof handler !== 'function') continue;
      if (!Reflect.getMetadata(MESSAGE_MAPPING_METADATA, handler)) continue;
      const message: unknown = Reflect.getMetadata(MESSAGE_METADATA, handler);
      if (!traits.has(message)) traits.set(message, traitsOf(gateway, handler, order));
    }
  }
  return traits;
}

function parentOf(prototype: object): object | null {
  return Object.getPrototypeOf(prototype) as object | null;
}
