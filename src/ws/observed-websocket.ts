import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { NO_STATUS_RECEIVED } from '../core/close-code.js';
import type { Runtime } from '../runtime/runtime.js';
import type { MessageData } from '../runtime/socket.port.js';
import { baseMembersOf, type BaseMembers } from './base-members.js';
import { requestOf } from './connection-request.js';
import { ObservedConnection } from './observed-connection.js';
import { observationOf, setObservation } from './ownership.js';
import { basePrototypeOf, methodDescriptors, subclassFactory } from './websocket-subclass.js';
import { closeFrameReceived, receiverError, receiverFailed } from './ws.internals.js';

type SendCallback = (error?: Error | null) => void;

/** As `ownedMembers`, for `mode: 'observe'`: every member of ws still does its own work. */
function observedMembers(base: BaseMembers): PropertyDescriptorMap {
  return methodDescriptors({
    send(this: WebSocket, data: unknown, options?: unknown, callback?: SendCallback): void {
      const done = typeof options === 'function' ? (options as SendCallback) : callback;
      const given = typeof options === 'object' && options !== null ? options : {};
      const connection = observationOf(this);
      if (connection) connection.rawSend(data as MessageData, given, done);
      else base.send.call(this, data as MessageData, given, done);
    },

    close(this: WebSocket, code?: number, reason?: string | Buffer): void {
      reportClose(this, code, reason);
      base.close.call(this, code, reason);
    },

    terminate(this: WebSocket): void {
      observationOf(this)?.rawTerminate();
      base.terminate.call(this);
    },

    emit(this: WebSocket, event: string | symbol, ...args: unknown[]): boolean {
      const connection = observationOf(this);
      if (event === 'message') connection?.onMessage();
      else if (event === 'close') connection?.onClosed();
      return base.emit.call(this, event, ...args);
    },
  });
}

/** The class of server sockets that `observe()` watches. */
export const observedWebSocketClass = subclassFactory((Base) =>
  observedMembers(baseMembersOf(Base.prototype)),
);

/** ws's receiver calls `close()` too; what it read is told once. */
function reportClose(socket: WebSocket, code: unknown, reason: unknown): void {
  const connection = observationOf(socket);
  if (!connection) return;
  if (receiverFailed(socket)) {
    connection.tell('protocol-error', { error: receiverError(socket) });
  } else if (closeFrameReceived(socket) && !connection.peerClosed) {
    connection.onPeerClose({
      code: (code as number | undefined) ?? NO_STATUS_RECEIVED,
      reason: reason === undefined ? '' : (reason as Buffer).toString(),
    });
  } else {
    connection.rawClose(code, reason);
  }
}

export function observe(
  socket: WebSocket,
  request: IncomingMessage,
  runtime: Runtime,
  ip?: string,
): ObservedConnection {
  const base = baseMembersOf(basePrototypeOf(socket));
  const connection = new ObservedConnection(socket, base, runtime, requestOf(request, ip));
  setObservation(socket, connection);
  return connection;
}
