import type { WebSocket } from 'ws';

export type WebSocketClass = typeof WebSocket;

/** Methods to define as ws's own are: not enumerable. */
export function methodDescriptors(methods: object): PropertyDescriptorMap {
  return Object.fromEntries(
    Object.entries(methods).map(([name, value]): [string, PropertyDescriptor] => [
      name,
      { value: value as unknown, writable: true, configurable: true, enumerable: false },
    ]),
  );
}

/**
 * Makes classes for the `WebSocket` option of `WebSocketServer`, once for each class they extend,
 * which must come from the server's copy of ws.
 */
export function subclassFactory(
  membersOf: (Base: WebSocketClass) => PropertyDescriptorMap,
): (Base: WebSocketClass) => WebSocketClass {
  const made = new WeakMap<WebSocketClass, WebSocketClass>();
  return (Base) => {
    const known = made.get(Base);
    if (known) return known;
    const Subclass = class extends Base {};
    Object.defineProperties(Subclass.prototype, membersOf(Base));
    Object.defineProperty(Subclass, 'name', { value: 'WebSocket' });
    made.set(Base, Subclass);
    return Subclass;
  };
}

/** The prototype that the members of a socket of such a class stand before. */
export function basePrototypeOf(socket: WebSocket): WebSocket {
  return Object.getPrototypeOf(Object.getPrototypeOf(socket)) as WebSocket;
}
