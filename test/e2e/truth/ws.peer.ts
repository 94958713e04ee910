import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { readMessage } from './messages.js';
import { askText, Peer } from './peer.js';
import { GARBAGE, reset } from './raw.frames.js';
import type { PeerAct, PeerPlan } from './schedule.types.js';

/** A client of ws; what its user has is its 'message' events up to its 'close'. */
export class WsPeer extends Peer {
  readonly wire = undefined;
  readonly #socket: WebSocket;

  constructor(url: string, plan: Extract<PeerPlan, { kind: 'ws' }>) {
    super();
    this.#socket = new WebSocket(url, {
      autoPong: plan.pongs,
      allowSynchronousEvents: !plan.deferred,
      perMessageDeflate: plan.offersDeflate,
    });
    this.#socket.on('open', () => this.opened.reach());
    this.#socket.on('error', () => this.opened.reach());
    this.#socket.on('message', (data: Buffer, binary) => {
      if (!this.ended.done) this.receive(readMessage(data, binary));
    });
    this.#socket.on('close', (code, reason) => {
      this.end = { code, reason: reason.toString() };
      this.opened.reach();
      this.ended.reach();
    });
  }

  protected act(act: PeerAct): void {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    switch (act.do) {
      case 'ask':
        for (let i = 0; i < act.count; i++) this.#socket.send(askText(act.ask), () => {});
        break;
      case 'close':
        this.closed ||= this.#socket.readyState === WebSocket.OPEN;
        this.#socket.close(act.code, act.reason);
        if (act.end) this.#stream.end();
        break;
      case 'pause':
        this.#socket.pause();
        break;
      case 'resume':
        this.#socket.resume();
        break;
      case 'ping':
        this.#socket.ping(() => {});
        break;
      case 'pong':
        this.#socket.pong('unasked', undefined, () => {});
        break;
      case 'reset':
        this.harmed = true;
        reset(this.#stream);
        break;
      case 'end':
        this.harmed = true;
        this.#stream.end();
        break;
      case 'garbage':
        this.harmed = true;
        this.#stream.write(GARBAGE);
        break;
    }
  }

  protected readOn(): void {
    this.#socket.resume();
  }

  get #stream(): Socket {
    // oxlint-disable-next-line no-underscore-dangle -- ws has no public way to its TCP socket.
    return (this.#socket as unknown as { _socket: Socket })._socket;
  }
}
