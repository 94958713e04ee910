import { WebSocket } from 'ws';
import { afterTest } from '../cleanup.js';
import { deferred, prepared } from '../waiting.js';
import { Client, type ClientClose } from './client.js';

/** A client made with `ws`; while it is closing it still emits the messages it reads. */
export class WsClient extends Client {
  protected readonly end = deferred<ClientClose>();

  private constructor(readonly socket: WebSocket) {
    super();
    socket.on('message', (data: Buffer) => this.messages.add(data.toString()));
    socket.on('close', (code, reason) => this.end.resolve({ code, reason: reason.toString() }));
    // A refused handshake or a reset: the 'close' that follows tells all that tests ask for.
    socket.on('error', () => {});
  }

  static async connect(url: string): Promise<WsClient> {
    const socket = new WebSocket(url);
    afterTest(() => socket.terminate());
    const client = new WsClient(socket);
    const opened = new Promise((resolve) => void socket.once('open', resolve));
    await prepared(opened, 'the ws client to open');
    return client;
  }

  text(data: string): void {
    this.socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }
}
