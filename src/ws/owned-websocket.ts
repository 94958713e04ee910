import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ConnectionPolicyValues } from '../runtime/connection.policy.js';
import { Owner } from '../runtime/owner.js';
import type { Runtime } from '../runtime/runtime.js';
import { baseMembersOf } from './base-members.js';
import { ownedMembers } from './owned-members.js';
import { ownershipOf, setOwnership } from './ownership.js';
import { streamOf } from './ws.internals.js';
import { WsPort } from './ws.port.js';

/** ws checks how many parameters some callbacks take, but of this class only that it extends. */
type WebSocketClass = typeof WebSocket;

const classes = new WeakMap<WebSocketClass, WebSocketClass>();

/**
 * The subclass to give to `WebSocketServer` (option `WebSocket`): its sockets have an owner from
 * `own()` on. Made once for each class it extends, which must come from the server's copy of ws.
 */
export function ownedWebSocketClass(Base: WebSocketClass): WebSocketClass {
  const made = classes.get(Base);
  if (made) return made;
  const Owned = class extends Base {};
  Object.defineProperties(Owned.prototype, ownedMembers(baseMembersOf(Base.prototype)));
  Object.defineProperty(Owned, 'name', { value: 'WebSocket' });
  classes.set(Base, Owned);
  return Owned;
}

/** Gives a server socket its owner; a socket that has one keeps it. */
export function own(
  socket: WebSocket,
  request: IncomingMessage,
  runtime: Runtime,
  policy: ConnectionPolicyValues,
): Owner {
  const existing = ownershipOf(socket);
  if (existing) return existing.owner;
  const owner = bind(socket, baseMembersOf(basePrototypeOf(socket)), runtime, policy);
  owner.request = {
    url: request.url ?? '',
    ip: request.socket.remoteAddress ?? '',
    headers: request.headers,
  };
  watchEnd(request.socket, owner);
  return owner;
}

/** Takes ownership of a socket of any copy of ws, such as a client's, by members of its own. */
export function track(socket: WebSocket, runtime: Runtime, policy: ConnectionPolicyValues): Owner {
  const existing = ownershipOf(socket);
  if (existing) return existing.owner;
  const base = baseMembersOf(Object.getPrototypeOf(socket) as WebSocket);
  Object.defineProperties(socket, ownedMembers(base));
  const owner = bind(socket, base, runtime, policy);
  const stream = streamOf(socket);
  if (stream) watchEnd(stream, owner);
  else socket.once('open', () => watchEnd(streamOf(socket)!, owner));
  return owner;
}

/** The prototype that the owned members of a server socket stand before. */
function basePrototypeOf(socket: WebSocket): WebSocket {
  return Object.getPrototypeOf(Object.getPrototypeOf(socket)) as WebSocket;
}

function bind(
  socket: WebSocket,
  base: ReturnType<typeof baseMembersOf>,
  runtime: Runtime,
  policy: ConnectionPolicyValues,
): Owner {
  const port = new WsPort(socket, base);
  const owner = new Owner(runtime, port, policy);
  setOwnership(socket, { owner, port });
  return owner;
}

/** ws tells nobody of a peer that ends its stream without a close frame. */
function watchEnd(stream: Duplex, owner: Owner): void {
  stream.once('end', () => owner.onPeerEnd());
}
