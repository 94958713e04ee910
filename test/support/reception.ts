import type { WebSocket } from 'ws';
import { Tally } from './waiting.js';

/** A base for gateways whose server sockets a test wants to get hold of. */
export class Reception {
  readonly arrivals = new Tally<WebSocket>();

  handleConnection(client: WebSocket, ..._rest: unknown[]): unknown {
    this.arrivals.add(client);
    return undefined;
  }

  /** The server's end of the n-th connection, counted from 0. */
  socket(index = 0): Promise<WebSocket> {
    return this.arrivals.at(index, 'connection accepted');
  }
}
