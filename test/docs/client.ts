import { WebSocket } from 'ws';
import { afterTest } from '../support/cleanup.js';
import { deferred, Tally, within } from '../support/waiting.js';

/** What a reader of the docs would write, with the headers that the guides are about. */
export class DocsClient {
  readonly messages = new Tally<string>();
  readonly #closed = deferred<[code: number, reason: string]>();

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => this.messages.add(data.toString()));
    socket.on('close', (code, reason) => this.#closed.resolve([code, reason.toString()]));
    afterTest(() => socket.terminate());
  }

  static async connect(url: string, headers: Record<string, string> = {}): Promise<DocsClient> {
    const client = new DocsClient(new WebSocket(url, { headers }));
    const opened = new Promise((resolve, reject) => {
      client.socket.once('open', resolve).once('error', reject);
    });
    await within(opened, 'the client to open');
    return client;
  }

  emit(event: string, data?: unknown): void {
    this.socket.send(JSON.stringify({ event, data }));
  }

  /** The n-th message, counted from 0. */
  async message(index: number): Promise<unknown> {
    return JSON.parse(await this.messages.at(index, 'message received'));
  }

  closed(): Promise<[code: number, reason: string]> {
    return within(this.#closed.promise, 'the client to see the connection closed');
  }
}
