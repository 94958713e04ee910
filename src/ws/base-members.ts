/* oxlint-disable typescript/unbound-method -- they are called with their socket as `this`. */
import type { WebSocket } from 'ws';
import type { MessageData, MessageOptions } from '../runtime/socket.port.js';

/** ws's own members, which the owner's stand before. */
export interface BaseMembers {
  send(
    this: WebSocket,
    data: MessageData,
    options: MessageOptions,
    callback?: (error?: Error | null) => void,
  ): void;
  ping(this: WebSocket, data?: unknown, mask?: boolean, callback?: (error: Error) => void): void;
  pong(this: WebSocket, data?: unknown, mask?: boolean, callback?: (error: Error) => void): void;
  close(this: WebSocket, code?: number, reason?: string | Buffer): void;
  terminate(this: WebSocket): void;
  emit(this: WebSocket, event: string | symbol, ...args: unknown[]): boolean;
  readyState(this: WebSocket): number;
  bufferedAmount(this: WebSocket): number;
  /** `send` is that of ws itself, so that its frames may be made without it. */
  readonly framesOnly: boolean;
  /** So is `ping`. */
  readonly pingsOnly: boolean;
  /** So is `close`. */
  readonly closesOnly: boolean;
}

const METHODS = ['send', 'ping', 'pong', 'close', 'terminate', 'emit'] as const;
const GETTERS = ['readyState', 'bufferedAmount'] as const;

function definerOf(prototype: object, name: string): object | undefined {
  let at: object | null = prototype;
  while (at && !Object.hasOwn(at, name)) at = Object.getPrototypeOf(at) as object | null;
  return at ?? undefined;
}

function findGetter(prototype: object, name: string): (() => number) | undefined {
  const definer = definerOf(prototype, name);
  return definer && Object.getOwnPropertyDescriptor(definer, name)?.get;
}

/** By shape, as the app may have several copies of ws. */
export function isWebSocket(value: unknown): value is WebSocket {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as Record<string, unknown> | null;
  return (
    prototype !== null &&
    METHODS.every((name) => typeof prototype[name] === 'function') &&
    GETTERS.every((name) => findGetter(prototype, name) !== undefined)
  );
}

const known = new WeakMap<object, BaseMembers>();

/** The members of a class of ws sockets, read once. */
export function baseMembersOf(prototype: WebSocket): BaseMembers {
  const cached = known.get(prototype);
  if (cached) return cached;
  const { send, ping, pong, close, terminate, emit } = prototype as unknown as BaseMembers;
  // The getter is nothing that a class of the app would redefine.
  const ws = definerOf(prototype, 'readyState');
  const members: BaseMembers = {
    send,
    ping,
    pong,
    close,
    terminate,
    emit,
    readyState: findGetter(prototype, 'readyState')!,
    bufferedAmount: findGetter(prototype, 'bufferedAmount')!,
    framesOnly: definerOf(prototype, 'send') === ws,
    pingsOnly: definerOf(prototype, 'ping') === ws,
    closesOnly: definerOf(prototype, 'close') === ws,
  };
  known.set(prototype, members);
  return members;
}
