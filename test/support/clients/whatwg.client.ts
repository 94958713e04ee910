import { WebSocket } from 'undici';
import { afterTest } from '../cleanup.js';
import { deferred, prepared } from '../waiting.js';
import { Client, type ClientClose } from './client.js';

/**
 * A client as browsers have it, made with undici: once it is closing it discards every message
 * that it has not yet read, and still reports a clean close.
 */
export class WhatwgClient extends Client {
  protected readonly end = deferred<ClientClose>();

  private constructor(readonly socket: WebSocket) {
    super();
    socket.addEventListener('message', ({ data }) => this.messages.add(String(data)));
    socket.addEventListener('close', ({ code, reason, wasClean }) => {
      this.end.resolve({ code, reason, wasClean });
    });
  }

  static async connect(url: string): Promise<WhatwgClient> {
    const socket = new WebSocket(url);
    afterTest(() => socket.close());
    const client = new WhatwgClient(socket);
    const opened = new Promise<void>((resolve) => {
      socket.addEventListener('open', () => resolve(), { once: true });
    });
    await prepared(opened, 'the WHATWG client to open');
    return client;
  }

  text(data: string): void {
    this.socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }
}
