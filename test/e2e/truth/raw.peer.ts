import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { WireFacts } from './connection.record.js';
import { readMessage } from './messages.js';
import { askText, Peer } from './peer.js';
import { clientFrame, closePayload, FrameReader, GARBAGE, OPCODE, reset } from './raw.frames.js';
import type { Ask, PeerAct, PeerPlan } from './schedule.types.js';
import { turns } from './turns.js';

type RawPlan = Extract<PeerPlan, { kind: 'raw' }>;

const HEAD_END = '\r\n\r\n';
const PIPELINED: Ask = { mode: 'async', turns: 2, values: 1, size: 'small' };

/** A TCP socket that speaks RFC 6455 by hand, as well or as badly as its plan says. */
export class RawPeer extends Peer {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #head: string | undefined = '';
  #closeFrames = 0;
  #framesAfterClose = 0;
  #readAll = false;
  #sentClose = false;
  #mute = false;
  #owed: Buffer | undefined;
  readonly #answered: Buffer[] = [];

  constructor(
    url: string,
    private readonly plan: RawPlan,
  ) {
    super();
    const { hostname, port, pathname, search } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    this.#socket.write(
      [
        `GET ${pathname}${search} HTTP/1.1`,
        `Host: ${hostname}:${port}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        HEAD_END.slice(2),
      ].join('\r\n'),
    );
    for (let i = 0; i < plan.pipelined; i++) this.#write(OPCODE.text, askText(PIPELINED));
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('end', () => {
      this.#readAll = true;
      this.#socket.end();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.end ??= { code: 1006, reason: '' };
      this.opened.reach();
      this.ended.reach();
    });
  }

  get wire(): WireFacts {
    return {
      closeFrames: this.#closeFrames,
      framesAfterClose: this.#framesAfterClose,
      readAll: this.#readAll,
    };
  }

  protected act(act: PeerAct): void {
    if (this.#socket.destroyed) return;
    switch (act.do) {
      case 'ask':
        for (let i = 0; i < act.count; i++) this.#write(OPCODE.text, askText(act.ask));
        break;
      case 'close':
        this.closed ||= this.#closeFrames === 0;
        this.#socket.cork();
        this.#close(closePayload(act.code, act.reason));
        if (act.end) this.#socket.end();
        this.#socket.uncork();
        break;
      case 'pause':
        this.#socket.pause();
        break;
      case 'resume':
        this.#socket.resume();
        break;
      case 'ping':
        this.#write(OPCODE.ping, 'are you there');
        break;
      case 'pong':
        this.#write(OPCODE.pong, 'unasked');
        for (const payload of this.#answered) this.#write(OPCODE.pong, payload);
        break;
      case 'reset':
        this.#reset();
        break;
      case 'end':
        this.harmed = true;
        this.#socket.end();
        break;
      case 'garbage':
        this.harmed = true;
        if (this.#socket.writable) this.#socket.write(GARBAGE);
        break;
    }
  }

  /** The server is gone: its answer to anything written now would void what is still unread. */
  protected readOn(): void {
    this.#mute = true;
    this.#socket.resume();
  }

  #onData(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#head !== undefined) {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf(HEAD_END);
      if (end === -1) return;
      bytes = Buffer.from(this.#head.slice(end + HEAD_END.length), 'latin1');
      this.#head = undefined;
      this.opened.reach();
    }
    const frames = this.#reader.read(bytes);
    const lastPing = frames.findLastIndex(({ opcode }) => opcode === OPCODE.ping);
    for (const [index, { opcode, payload }] of frames.entries()) {
      if (this.#closeFrames > 0) this.#framesAfterClose++;
      if (opcode === OPCODE.ping) this.#onPing(payload, index === lastPing);
      else if (opcode === OPCODE.close) this.#onClose(payload);
      else if (opcode === OPCODE.text || opcode === OPCODE.binary) {
        const unread = this.ended.done || (this.plan.discards && this.#sentClose);
        if (!unread) this.receive(readMessage(payload, opcode === OPCODE.binary));
      }
    }
  }

  #onPing(payload: Buffer, latest: boolean): void {
    const { pongs } = this.plan;
    if (pongs === 'each' || (pongs === 'latest' && latest)) this.#pong(payload);
    if (pongs !== 'late') return;
    if (this.#owed) this.#pong(this.#owed);
    this.#owed = payload;
  }

  #pong(payload: Buffer): void {
    this.#answered.push(payload);
    this.#write(OPCODE.pong, payload);
  }

  #onClose(payload: Buffer): void {
    this.#closeFrames++;
    this.end ??=
      payload.length < 2
        ? { code: 1005, reason: '' }
        : { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) };
    switch (this.plan.answer) {
      case 'echo':
        this.#close(payload);
        break;
      case 'echo-and-end':
        this.#close(payload);
        this.#socket.end();
        break;
      case 'end':
        this.#socket.end();
        break;
      case 'late':
        void turns(8).then(() => this.#close(payload));
        break;
      case 'none':
        break;
      case 'reset':
        this.#reset();
        break;
    }
  }

  #close(payload: Buffer): void {
    if (this.#sentClose) return;
    this.#write(OPCODE.close, payload);
    this.#sentClose = true;
  }

  #reset(): void {
    this.harmed = true;
    reset(this.#socket);
  }

  #write(opcode: number, payload: Uint8Array | string): void {
    if (this.#socket.writable && !this.#mute) this.#socket.write(clientFrame(opcode, payload));
  }
}
