import { NO_STATUS_RECEIVED } from '../../../src/core/close-code.js';
import type { CloseFrame } from '../../../src/core/close-request.js';
import type {
  Handover,
  MessageData,
  MessageOptions,
  SocketListener,
  SocketPort,
} from '../../../src/runtime/socket.port.js';
import { frameSize, type Frame } from './frames.js';
import type { Pipe } from './pipe.js';
import type { Schedule } from './task.queue.js';

type State = 'connecting' | 'open' | 'closing' | 'closed';
type Written = (error?: Error | null) => void;

const NOBODY: SocketListener = {
  onMessage: () => {},
  onPing: () => {},
  onPong: () => {},
  onPeerClose: () => {},
  onProtocolFailure: () => {},
  onPeerEnd: () => {},
  onClosed: () => {},
};

/** As ws: text for strings and numbers, nothing for what is falsy, binary for all else. */
export function messageOf(
  data: MessageData,
  { binary }: MessageOptions,
): Frame & { type: 'message' } {
  const isText = typeof data === 'string' || typeof data === 'number';
  const bytes = isText
    ? Buffer.from(String(data))
    : ArrayBuffer.isView(data)
      ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      : Buffer.from((data || []) as unknown as Uint8Array);
  return { type: 'message', data: bytes, isBinary: binary ?? !isText };
}

/**
 * The server's end of a socket in memory: a `SocketPort` that does what ws does. It reports to
 * `listener`, which may be set once the owner exists.
 */
export class FakePort implements SocketPort {
  listener: SocketListener = NOBODY;
  /** A broken transport: a socket that is destroyed is never reported closed. */
  stuck = false;
  /** `destroy()` resets the connection, so that the peer loses what it has not read. */
  resets = false;
  /** It waits for the end of the peer's stream in any case, as that of TLS does. */
  patient = false;
  /** What a port that reports several messages in one says; this one reports each. */
  batch: number | undefined;
  /** What a port that shares frames among sockets does; this one does not. */
  sendShared: SocketPort['sendShared'];
  sharedSink: SocketPort['sharedSink'];
  /** What the port was told, in order, for tests about what an owner does. */
  readonly calls: string[] = [];

  #state: State;
  #paused = false;
  #arriving = false;
  /** Nothing but the end of the stream is read after a close frame or a broken one. */
  #deaf = false;
  #peerEnded = false;
  #closeWritten = false;
  #destroyed = false;
  /** What was sent behind a Blob that is still being read. */
  #held: (() => void)[] | undefined;
  #heldBytes = 0;

  constructor(
    private readonly out: Pipe,
    private readonly into: Pipe,
    private readonly schedule: Schedule,
    connecting: boolean,
  ) {
    this.#state = connecting ? 'connecting' : 'open';
    into.onReadable = () => this.#arrive();
    out.onFinished = () => this.#endIfDone();
  }

  get connecting(): boolean {
    return this.#state === 'connecting';
  }

  get writable(): boolean {
    return this.#state === 'open';
  }

  get closeWritten(): boolean {
    return this.#closeWritten;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  get bufferedAmount(): number {
    return this.out.bufferedAmount + this.#heldBytes;
  }

  get blocked(): boolean {
    return this.out.left > 0;
  }

  /** What the kernel has taken of it, whoever has read that. */
  get taken(): readonly Frame[] {
    return this.out.taken;
  }

  /** The opening handshake ends well. */
  open(): void {
    if (this.#state === 'connecting') this.#state = 'open';
  }

  send(data: MessageData, options: MessageOptions | undefined, written: Written): Handover {
    if (this.connecting) throw new Error('The socket is not open yet.');
    const message = data instanceof Blob ? undefined : messageOf(data, options ?? {});
    if (!this.writable) {
      this.schedule(() => written(new Error('The socket is not open.')), 'written');
    } else if (message) {
      this.#write(message, written);
    } else {
      this.#sendBlob(data as Blob, options, written);
    }
    return 'pending';
  }

  ping(payload: Buffer): void {
    if (this.writable) this.#write({ type: 'ping', payload });
  }

  probe(): void {
    this.calls.push('probe');
    if (this.writable) this.#write({ type: 'pong', payload: Buffer.alloc(0) });
  }

  close(frame: CloseFrame): void {
    this.calls.push(`close ${frame.code}`);
    if (this.connecting) this.#abandon();
    if (!this.writable) return;
    this.#state = 'closing';
    this.#write({ type: 'close', frame }, (error) => {
      if (error) return;
      this.#closeWritten = true;
      if (this.#deaf) this.out.end();
    });
  }

  end(over = false): void {
    this.calls.push(over ? 'end, over' : 'end');
    if (this.connecting) this.#abandon();
    else if (over && this.#mayDestroy) this.#destroy(this.into.readable > 0);
    else if (this.writable) this.close({ code: NO_STATUS_RECEIVED, reason: '' });
    else if (this.#closeWritten && this.#deaf) this.out.end();
  }

  get #mayDestroy(): boolean {
    return !this.patient && !this.stuck && this.#closeWritten && this.bufferedAmount === 0;
  }

  destroy(): void {
    this.calls.push('destroy');
    if (this.connecting) this.#abandon();
    else this.#destroy();
  }

  pause(): void {
    this.calls.push('pause');
    this.#paused = true;
  }

  resume(): void {
    this.calls.push('resume');
    this.#paused = false;
    this.#arrive();
  }

  progressMark(): number {
    return this.out.left;
  }

  /** Writes what is held back, before anything else is. */
  protected flush(): void {}

  #write(frame: Frame, done: Written = () => {}): void {
    this.flush();
    if (this.#held) this.#hold(frameSize(frame), () => this.#write(frame, done));
    else this.out.write(frame, done);
  }

  #sendBlob(blob: Blob, options: MessageOptions | undefined, written: Written): void {
    if (this.#held) {
      this.#hold(blob.size, () => this.#sendBlob(blob, options, written));
      return;
    }
    this.#held = [];
    this.#heldBytes += blob.size;
    void this.#sendBytesOf(blob, options, written);
  }

  async #sendBytesOf(
    blob: Blob,
    options: MessageOptions | undefined,
    written: Written,
  ): Promise<void> {
    const bytes = await blob.arrayBuffer();
    const held = this.#held!;
    this.#held = undefined;
    this.#heldBytes -= blob.size;
    this.#write(messageOf(bytes, options ?? {}), written);
    for (const send of held) send();
  }

  /** What is sent behind a Blob that is still being read keeps its place. */
  #hold(bytes: number, send: () => void): void {
    this.#heldBytes += bytes;
    this.#held!.push(() => {
      this.#heldBytes -= bytes;
      send();
    });
  }

  #arrive(): void {
    if (this.#arriving || this.#destroyed) return;
    const wanted = this.into.reset || (!this.#peerEnded && (!this.#paused || this.#deaf));
    if (!wanted || (this.into.readable === 0 && !this.into.ended)) return;
    this.#arriving = true;
    this.schedule(() => {
      this.#arriving = false;
      if (this.#destroyed || (this.#paused && !this.#deaf && !this.into.reset)) return;
      if (this.into.ended) this.#readEnd();
      else this.#readFrame();
      this.#arrive();
    }, 'arrival');
  }

  #readFrame(): void {
    const frame = this.into.readFrame();
    if (!frame || this.#deaf) return;
    switch (frame.type) {
      case 'message':
        this.listener.onMessage(frame.data, frame.isBinary);
        break;
      case 'ping':
        this.listener.onPing();
        if (this.writable) this.#write({ type: 'pong', payload: frame.payload });
        break;
      case 'pong':
        this.listener.onPong(frame.payload);
        break;
      case 'close':
        this.#deaf = true;
        this.listener.onPeerClose(frame.frame);
        break;
      case 'garbage':
        this.#deaf = true;
        this.listener.onProtocolFailure(frame.code, new Error('The peer broke the protocol.'));
        break;
    }
  }

  #readEnd(): void {
    if (this.into.reset) {
      this.#destroy();
      return;
    }
    if (this.#peerEnded) return;
    this.flush();
    this.#peerEnded = true;
    this.#state = 'closing';
    this.out.end();
    this.listener.onPeerEnd();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#peerEnded && this.out.finished) this.#closed();
  }

  /** The opening handshake is given up. */
  #abandon(): void {
    this.#state = 'closing';
    this.#destroy();
  }

  #destroy(resets = this.resets): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#state = 'closing';
    const error = new Error('The socket was destroyed.');
    if (resets) this.out.destroyWithReset(error);
    else this.out.destroy(error);
    this.into.destroyWithReset(error);
    if (!this.stuck) this.#closed();
  }

  #closed(): void {
    this.#destroyed = true;
    this.schedule(() => {
      if (this.#state === 'closed') return;
      this.#state = 'closed';
      this.listener.onClosed();
    }, 'arrival');
  }
}
