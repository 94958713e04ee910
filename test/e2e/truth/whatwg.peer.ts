import { connect, type Socket } from 'node:net';
import { Agent, WebSocket } from 'undici';
import { readMessage } from './messages.js';
import { askText, Peer } from './peer.js';
import { GARBAGE, reset } from './raw.frames.js';
import type { PeerAct } from './schedule.types.js';

/** undici's WebSocket, which does what the WHATWG demands; as a browser, but for its one thread. */
export class WhatwgPeer extends Peer {
  readonly wire = undefined;
  readonly #socket: WebSocket;
  readonly #agent: Agent;
  #stream: Socket | undefined;

  constructor(url: string) {
    super();
    this.#agent = new Agent({
      connect: ({ hostname, port }, callback) => {
        const stream = connect(Number(port), hostname);
        this.#stream = stream;
        stream.once('connect', () => callback(null, stream));
        stream.once('error', (error) => callback(error, null));
      },
    });
    this.#socket = new WebSocket(url, { dispatcher: this.#agent });
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('open', () => this.opened.reach());
    this.#socket.addEventListener('error', () => this.opened.reach());
    this.#socket.addEventListener('message', ({ data }) => {
      const message = data as string | ArrayBuffer;
      this.receive(readMessage(message, typeof message !== 'string'));
    });
    this.#socket.addEventListener('close', ({ code, reason }) => {
      this.end = { code, reason };
      this.opened.reach();
      this.ended.reach();
      void this.#agent.destroy();
    });
  }

  protected act(act: PeerAct): void {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    switch (act.do) {
      case 'ask':
        for (let i = 0; i < act.count; i++) this.#socket.send(askText(act.ask));
        break;
      case 'close':
        this.closed ||= this.#socket.readyState === WebSocket.OPEN;
        this.#socket.close(act.code, act.reason);
        if (act.end) this.#end();
        break;
      case 'reset':
        this.harmed = true;
        reset(this.#stream!);
        break;
      case 'end':
        this.#end();
        break;
      case 'garbage':
        this.harmed = true;
        this.#stream!.write(GARBAGE);
        break;
      case 'pause':
      case 'resume':
      case 'ping':
      case 'pong':
        // Its API has none of these.
        break;
    }
  }

  protected readOn(): void {}

  /** Its next pong fails, and takes the socket with it. */
  #end(): void {
    this.harmed = true;
    this.#stream!.end();
  }
}
