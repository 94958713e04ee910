import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ConnectionPolicyValues } from '../runtime/connection.policy.js';
import { Owner } from '../runtime/owner.js';
import type { Runtime } from '../runtime/runtime.js';
import { baseMembersOf } from './base-members.js';
import { requestOf } from './connection-request.js';
import { ownedMembers } from './owned-members.js';
import { joinJobs } from './joined-jobs.js';
import { clientOf, ownershipOf, setClient, setOwnership, type Ownership } from './ownership.js';
import { readDirectly } from './read-buffer.js';
import { plainSocketOf, STRAIGHT } from './straight-path.js';
import { endOnce, stopAtFailure, streamOf } from './ws.internals.js';
import { basePrototypeOf, subclassFactory } from './websocket-subclass.js';
import { WsPort } from './ws.port.js';

/** The class of server sockets that `own()` gives an owner. */
export const ownedWebSocketClass = subclassFactory((Base) =>
  ownedMembers(baseMembersOf(Base.prototype)),
);

/** Gives a server socket its owner; a socket that has one keeps it. */
export function own(
  socket: WebSocket,
  request: IncomingMessage,
  runtime: Runtime,
  policy: ConnectionPolicyValues,
  ip?: string,
): Owner {
  const existing = ownershipOf(socket);
  if (existing) return existing.owner;
  const base = baseMembersOf(basePrototypeOf(socket));
  const port = new WsPort(socket, base);
  const owner = new Owner(runtime, port, policy, requestOf(request, ip));
  const serverListeners = socket.listeners('close') as Ownership['serverListeners'] & object;
  setOwnership(socket, { owner, port, serverListeners });
  watchEnd(request.socket, socket);
  stopAtFailure(socket);
  if (STRAIGHT) joinJobs(socket);
  const stream = STRAIGHT ? plainSocketOf(socket) : undefined;
  if (stream) readDirectly(stream, socket);
  return owner;
}

/** Takes ownership of a socket of any copy of ws, such as a client's, by members of its own. */
export function track(
  socket: WebSocket,
  runtime: Runtime,
  policy: ConnectionPolicyValues,
  request?: IncomingMessage,
  ip?: string,
): Owner {
  const existing = ownershipOf(socket);
  if (existing) return existing.owner;
  const base = baseMembersOf(Object.getPrototypeOf(socket) as WebSocket);
  Object.defineProperties(socket, ownedMembers(base));
  const port = new WsPort(socket, base);
  const owner = new Owner(runtime, port, policy, request && requestOf(request, ip));
  setOwnership(socket, { owner, port });
  const stream = streamOf(socket);
  if (socket.readyState === socket.CLOSED) owner.onClosed();
  else if (socket.readyState === socket.CLOSING) owner.onPeerEnd();
  else if (stream) watchEnd(stream, socket);
  else socket.once('open', () => watchEnd(streamOf(socket)!, socket));
  return owner;
}

/**
 * ws tells nobody of a peer that ends its stream without a close frame, and ends our side, too:
 * before that, a close frame that came with the end can still be answered. One function for all
 * streams, as one of its own for each costs more than the rest of what is known of it.
 */
function watchEnd(stream: Duplex, client: WebSocket): void {
  setClient(stream, client);
  stream.prependListener('end', tellOfEnd);
}

function tellOfEnd(this: Duplex): void {
  const client = clientOf(this);
  if (!client) return;
  ownershipOf(client)?.owner.onPeerEnd();
  endOnce(client);
}
