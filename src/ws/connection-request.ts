import type { IncomingMessage } from 'node:http';
import type { ConnectionRequest } from '../runtime/connection.js';

/** What is kept of an upgrade request; the client's address is the socket's, unless one is given. */
export function requestOf(
  request: IncomingMessage,
  ip = request.socket.remoteAddress ?? '',
): ConnectionRequest {
  return {
    url: request.url ?? '',
    ip,
    headers: request.headers,
  };
}
