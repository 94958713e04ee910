import { ABNORMAL_CLOSURE, NO_STATUS_RECEIVED } from '../../../src/core/close-code.js';
import type { CloseFrame } from '../../../src/core/close-request.js';
import type { Frame } from './frames.js';
import type { Pipe } from './pipe.js';
import type { Schedule } from './task.queue.js';

export interface PeerMessage {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

export interface PeerHabits {
  /** Sends the pong that RFC 6455 §5.5.2 asks for. */
  answersPings: boolean;
  /** Sends the close frame that RFC 6455 §5.5.1 asks for. */
  answersClose: boolean;
  /** As browsers do: messages that it reads after its own `close()` never reach its user. */
  discardsAfterClose: boolean;
}

/** How a connection ended, as the peer's user is told. */
export interface PeerClosed extends CloseFrame {
  /** Close frames were exchanged. */
  readonly wasClean: boolean;
}

/**
 * The client's end of a socket in memory. It reads as long as it is not paused, and has the
 * habits of a good client until it is given others. A paused one is frozen: it does nothing that
 * it is not told to do.
 */
export class FakePeer {
  readonly habits: PeerHabits = {
    answersPings: true,
    answersClose: true,
    discardsAfterClose: false,
  };
  /** What its user got. */
  readonly messages: PeerMessage[] = [];
  /** What its protocol stack has read, whoever got it. */
  readonly frames: Frame[] = [];
  /** Set once the stream from the server has ended. */
  closed: PeerClosed | undefined;

  #paused = false;
  #reading = false;
  #closeSent = false;
  #gone = false;
  #received: CloseFrame | undefined;

  constructor(
    /** From the server. */
    private readonly from: Pipe,
    private readonly to: Pipe,
    private readonly schedule: Schedule,
  ) {
    from.onReadable = () => this.#wake();
  }

  /** Its user's messages as text. */
  get texts(): string[] {
    return this.messages.map(({ data }) => data.toString());
  }

  /** The close frame that it has read. */
  get closeFrame(): CloseFrame | undefined {
    return this.#received;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Bytes that wait in the kernel for it. */
  get unread(): number {
    return this.from.readable;
  }

  /** Stops to read. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Reads at most so many bytes now, paused or not. */
  read(bytes: number = Number.POSITIVE_INFINITY): void {
    if (this.#gone) return;
    for (const frame of this.from.read(bytes)) this.#take(frame);
    if (this.from.ended) this.#ended();
  }

  send(data: string | Buffer): void {
    const isBinary = typeof data !== 'string';
    this.#write({ type: 'message', data: Buffer.from(data), isBinary });
  }

  ping(payload: Buffer): void {
    this.#write({ type: 'ping', payload });
  }

  pong(payload: Buffer): void {
    this.#write({ type: 'pong', payload });
  }

  /** Sends its close frame, once. */
  close(code: number = NO_STATUS_RECEIVED, reason = ''): void {
    if (this.#closeSent) return;
    this.#write({ type: 'close', frame: { code, reason } });
    this.#closeSent = true;
  }

  /** Sends a frame that breaks the protocol. */
  breakProtocol(code = 1002): void {
    this.#write({ type: 'garbage', code });
  }

  /** Ends its side of the stream (FIN), and reads on. */
  end(): void {
    this.to.end();
  }

  /** Is gone at once (RST). */
  reset(): void {
    this.#gone = true;
    const error = new Error('The peer reset the connection.');
    this.to.destroyWithReset(error);
    this.from.destroyWithReset(error);
  }

  /** RFC 6455 §5.5.1: nothing follows a close frame. */
  #write(frame: Frame): void {
    if (!this.#closeSent && !this.#gone) this.to.write(frame);
  }

  #wake(): void {
    if (this.#paused || this.#reading || this.#gone) return;
    this.#reading = true;
    this.schedule(() => {
      this.#reading = false;
      if (!this.#paused) this.read();
    }, 'reading');
  }

  #take(frame: Frame): void {
    this.frames.push(frame);
    if (this.#received) return;
    switch (frame.type) {
      case 'message':
        if (!this.#closeSent || !this.habits.discardsAfterClose) {
          this.messages.push({ data: frame.data, isBinary: frame.isBinary });
        }
        break;
      case 'ping':
        if (this.habits.answersPings) this.pong(frame.payload);
        break;
      case 'close':
        this.#received = frame.frame;
        if (this.habits.answersClose) this.close(frame.frame.code, frame.frame.reason);
        break;
      default:
        break;
    }
  }

  #ended(): void {
    if (this.closed) return;
    this.closed = {
      ...(this.#received ?? { code: ABNORMAL_CLOSURE, reason: '' }),
      wasClean: this.#received !== undefined && this.#closeSent,
    };
    this.to.end();
  }
}
