import { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { streamOf } from './ws.internals.js';

/** Set to anything, every message takes ws's own way: to find out whether ours is at fault. */
export const STRAIGHT = process.env['SAFE_CLOSE_NO_BATCHING'] === undefined;

/** The TCP socket of a connection; absent where it is none, as of TLS or a tunnel. */
export function plainSocketOf(client: WebSocket): Socket | undefined {
  const stream = streamOf(client);
  return stream instanceof Socket && !('encrypted' in stream) ? stream : undefined;
}
