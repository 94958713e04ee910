import type { IncomingMessage } from 'node:http';
import type { ConnectionRequest } from '../runtime/connection.js';

/** What is kept of an upgrade request. */
export function requestOf(request: IncomingMessage): ConnectionRequest {
  return {
    url: request.url ?? '',
    ip: request.socket.remoteAddress ?? '',
    headers: request.headers,
  };
}
