import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterTest } from '../cleanup.js';
import { deferred, prepared, Tally, within } from '../waiting.js';
import { closeFrame, closeOf, frame, FrameReader, Opcode, type Frame } from './frames.js';
import type { ClientClose } from './client.js';

export interface RawPeerManners {
  /** @default true */
  readonly answersPings?: boolean;
  /** @default true */
  readonly answersClose?: boolean;
  /** What it sends in one packet with its upgrade request. */
  readonly withUpgrade?: readonly Buffer[];
  /** What it offers; it reads nothing that is compressed. */
  readonly extensions?: string;
}

/** How fast a slow reader reads. */
export interface Pace {
  readonly bytes: number;
  readonly everyMs: number;
}

/**
 * A peer on a bare TCP socket, which can do what no library would: ignore a close frame or a ping,
 * send frames that break RFC 6455, end only its own side, reset, read slowly or not at all.
 */
export class RawPeer {
  /** Every frame read so far. */
  readonly frames = new Tally<Frame>();
  readonly messages = new Tally<string>();
  readonly closes = new Tally<ClientClose>();
  readonly #reader = new FrameReader();
  readonly #ended = deferred();
  readonly #answersPings: boolean;
  readonly #answersClose: boolean;

  private constructor(
    readonly socket: Socket,
    { answersPings = true, answersClose = true }: RawPeerManners,
  ) {
    this.#answersPings = answersPings;
    this.#answersClose = answersClose;
    socket.on('close', () => this.#ended.resolve());
    // A reset: the 'close' that follows tells all that tests ask for.
    socket.on('error', () => {});
  }

  static async connect(url: string, manners: RawPeerManners = {}): Promise<RawPeer> {
    const { hostname, port, pathname, search } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.setNoDelay(true);
    afterTest(() => socket.destroy());
    const peer = new RawPeer(socket, manners);
    const upgraded = peer.#shakeHands(`${pathname}${search}`, manners);
    await prepared(upgraded, 'the upgrade of the raw peer');
    return peer;
  }

  /** Sends bytes as they are. */
  send(...bytes: Buffer[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  text(data: string): void {
    this.send(frame(Opcode.text, data));
  }

  emit(event: string, data?: unknown): void {
    this.text(JSON.stringify({ event, data }));
  }

  close(code?: number, reason?: string): void {
    this.send(closeFrame(code, reason));
  }

  /** Ends its own side of the stream. */
  halfClose(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Reads nothing any more, so that TCP pushes back. */
  freeze(): void {
    this.socket.pause();
  }

  /** Reads no faster than this from now on. */
  readSlowly({ bytes, everyMs }: Pace): void {
    let left = bytes;
    this.socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left > 0) return;
      this.socket.pause();
      setTimeout(() => {
        left = bytes;
        this.socket.resume();
      }, everyMs);
    });
  }

  /** Waits for the end of the socket. */
  ended(): Promise<void> {
    return within(this.#ended.promise, 'the end of the socket of the raw peer');
  }

  /** Waits for the server's close frame. */
  closed(): Promise<ClientClose> {
    return this.closes.at(0, 'close frame read by the raw peer');
  }

  #shakeHands(path: string, { withUpgrade = [], extensions }: RawPeerManners): Promise<void> {
    const { promise, resolve } = deferred();
    const offer = extensions ? `Sec-WebSocket-Extensions: ${extensions}\r\n` : '';
    const request =
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${offer}\r\n`;
    this.send(Buffer.from(request), ...withUpgrade);
    let head = Buffer.alloc(0);
    const readHead = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.socket.off('data', readHead);
      this.socket.on('data', (data: Buffer) => this.#read(data));
      this.#read(head.subarray(end + 4));
      resolve();
    };
    this.socket.on('data', readHead);
    return promise;
  }

  #read(chunk: Buffer): void {
    for (const read of this.#reader.push(chunk)) this.#take(read);
  }

  #take(read: Frame): void {
    this.frames.add(read);
    switch (read.opcode) {
      case Opcode.text:
        this.messages.add(read.payload.toString());
        break;
      case Opcode.ping:
        if (this.#answersPings) this.send(frame(Opcode.pong, read.payload));
        break;
      case Opcode.close:
        this.closes.add(closeOf(read));
        if (this.#answersClose) this.send(frame(Opcode.close, read.payload.subarray(0, 2)));
        break;
      default:
    }
  }
}
