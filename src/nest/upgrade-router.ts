import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketServer } from 'ws';
import { refuseUpgrade } from './upgrade-refusal.js';

/** A server for the upgrades of one path. */
export type PathServer = WebSocketServer & { readonly path?: string };

/**
 * Hands upgrades of an HTTP server to the WebSocket server of their path. Unlike the stock
 * adapter's, it leaves a path that is not ours to whoever else listens, such as a GraphQL
 * library; only where nobody does, the request ends with 404.
 */
export class UpgradeRouter {
  constructor(
    private readonly httpServer: Server,
    private readonly servers: () => readonly PathServer[],
  ) {
    httpServer.on('upgrade', this.#onUpgrade);
  }

  stop(): void {
    this.httpServer.off('upgrade', this.#onUpgrade);
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const path = pathOf(request.url);
    const server = this.servers().find((candidate) => candidate.path === path);
    if (server) {
      server.handleUpgrade(request, socket, head, (client) => {
        server.emit('connection', client, request);
      });
    } else if (this.httpServer.listenerCount('upgrade') === 1) {
      refuseUpgrade(socket, 404);
    }
  };
}

/** A path that is the same to a parser, as nearly all are; a second slash would begin a host. */
const PLAIN_PATH = /^\/(?!\/)[\w\-/]*$/;

function pathOf(url: string | undefined): string | undefined {
  if (url !== undefined && PLAIN_PATH.test(url)) return url;
  try {
    return new URL(url ?? '', 'ws://localhost').pathname;
  } catch {
    return undefined;
  }
}
