import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { NO_STATUS_RECEIVED } from '../core/close-code.js';
import type { CloseFrame } from '../core/close-request.js';
import {
  SharedMessage,
  type Handover,
  type MessageData,
  type MessageOptions,
  type SharedSink,
  type SocketPort,
} from '../runtime/socket.port.js';
import type { BaseMembers } from './base-members.js';
import {
  answersPings,
  closeFrameReceived,
  closeFrameSent,
  divertFrames,
  endOnce,
  holdsBack,
  isBlob,
  receiverError,
  receiverFailed,
  isServerSide,
  streamOf,
  writeQueueSize,
} from './ws.internals.js';
import { DeflateContext } from './deflate-context.js';
import { BINARY, COMPRESSED, frameOf, MAX_BYTES_PER_UNIT, pingOf, TEXT } from './frame.js';
import { DirectWriter } from './direct-writer.js';
import { FrameBatch } from './frame-batch.js';
import { Goodbye } from './goodbye.js';
import { plainSocketOf, STRAIGHT } from './straight-path.js';
import { deflated } from './sync-deflate.js';

/** What ws's receiver has met that it answers by calling `close()` itself. */
export type ReceiverVerdict = 'peer-closed' | 'protocol-failed';

type Written = Parameters<SocketPort['send']>[2];

/** The default of ws's `maxPendingAutoPongs`. */
const MAX_PENDING_PONGS = 60;

const NOTHING = Buffer.alloc(0);

const NO_OPTIONS: MessageOptions = Object.freeze({});

/**
 * Bytes of a message for many above which ws sends it to each of them: it needs no copy to frame
 * data, and its threads compress what would hold up the event loop (64 KiB of JSON: 1.2 ms).
 */
const LARGEST_SHARED = 64 * 1024;

/**
 * Code units or bytes of a message up to which it is compressed here: for 1 KiB of text that takes 25
 * to 50 us. A thread holds up the event loop for 20, and takes 65 to 90 in all (npm run
 * bench:deflate).
 */
const LARGEST_DEFLATED = 1024;

const scratch = Buffer.allocUnsafeSlow(LARGEST_DEFLATED * MAX_BYTES_PER_UNIT);

/** Until the next call. */
function encoded(text: string): Buffer {
  return scratch.subarray(0, scratch.write(text));
}

/** Where frames may be compressed, one may as well not be (RFC 7692 §6). */
function smallestFrameOf(first: number, data: Uint8Array): Buffer {
  const payload = deflated(data);
  const smaller = payload.length < data.length;
  return smaller ? frameOf(first | COMPRESSED, payload) : frameOf(first, data);
}

/** The port over one ws socket: it calls the methods that the owner's own ones stand before. */
export class WsPort implements SocketPort {
  /** ws's own methods are running, and see the state that ws keeps rather than the owner's. */
  inside = false;
  #connecting = true;
  #verdict: ReceiverVerdict | undefined;
  /** `null`: this socket has none. */
  #batch: FrameBatch | null | undefined;
  /** Where frames are compressed. */
  #deflate: DeflateContext | undefined;
  /** The next frame goes on with a message that ws has begun (RFC 6455 §5.4). */
  #fragmented = false;
  #written: Written | undefined;
  #onSent: Written | undefined;
  #answered: unknown;
  #pendingPongs = 0;
  /** Of the ping that leaves with the close frame. */
  #lastPing: Buffer | undefined;
  /** The kernel had taken everything when the socket was destroyed. */
  #drained: boolean | undefined;

  constructor(
    private readonly socket: WebSocket,
    private readonly base: BaseMembers,
  ) {
    // Of an app that has sent before it had an owner.
    if (holdsBack(socket)) this.#batch = null;
  }

  get readyState(): number {
    return this.base.readyState.call(this.socket);
  }

  get connecting(): boolean {
    // Once it is not, it never is again.
    return this.#connecting && (this.#connecting = this.readyState === WebSocket.CONNECTING);
  }

  get writable(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get bufferedAmount(): number {
    const batch = this.#batch;
    // What ws has refused as it came too late, it counts on its own.
    if (batch && this.#direct && this.writable) return batch.bufferedAmount;
    return this.base.bufferedAmount.call(this.socket) + (batch?.bytes ?? 0);
  }

  get batch(): number | undefined {
    return this.#direct ? this.#batch?.tick : undefined;
  }

  /** ws compresses nothing that would come later than what is sent now. */
  get #direct(): boolean {
    return this.#deflate === undefined || this.#deflate.idle;
  }

  get blocked(): boolean {
    return writeQueueSize(this.socket) > 0;
  }

  send(data: MessageData, options: MessageOptions | undefined, written: Written): Handover {
    this.#written = written;
    const batch = isBlob(data) ? this.stopBatching() : this.#batching();
    const handover = batch && this.#addTo(batch, data, options);
    if (handover) return handover;
    const before = this.inside;
    this.inside = true;
    this.#deflate?.enterWs(options?.compress !== false);
    try {
      const callback = batch && !this.#deflate ? undefined : this.#sentByWs;
      this.base.send.call(this.socket, data, options ?? NO_OPTIONS, callback);
    } catch (error) {
      this.#deflate?.leaveWs();
      throw error;
    } finally {
      this.inside = before;
    }
    this.#fragmented = options?.fin === false;
    if (!this.#deflate) batch?.count();
    return 'pending';
  }

  /** Returns `undefined` for what only ws itself can send, or sends as fast. */
  #addTo(
    batch: FrameBatch,
    data: MessageData,
    options: MessageOptions | undefined,
  ): Handover | undefined {
    if (this.#fragmented || (options && (options.fin === false || options.mask))) return undefined;
    const binary = options?.binary;
    if (typeof data === 'string') return this.#add(batch, binary ? BINARY : TEXT, data, options);
    if (!(data instanceof Uint8Array)) return undefined;
    const first = (binary ?? true) ? BINARY : TEXT;
    const shared = options?.shared;
    if (shared instanceof SharedMessage && this.#mayShare(data)) {
      return this.#addShared(batch, first, data, shared);
    }
    return this.#add(batch, first, data, options);
  }

  #add(
    batch: FrameBatch,
    first: number,
    data: string | Uint8Array,
    options: MessageOptions | undefined,
  ): Handover | undefined {
    const context = this.#deflate;
    if (!context) return batch.add(first, data);
    if (!context.idle) return undefined;
    if (options?.compress === false) return batch.add(first, data);
    if (data.length > LARGEST_DEFLATED) return undefined;
    const bytes = typeof data === 'string' ? encoded(data) : data;
    if (!context.isCompressed(bytes.length)) return batch.add(first, data);
    return batch.addCompressed(first, bytes, context);
  }

  sendShared(message: SharedMessage, written: Written): Handover | undefined {
    const batch = this.#batching();
    if (!batch || this.#fragmented || !this.#mayShare(message.data)) return undefined;
    this.#written = written;
    return this.#addShared(batch, message.binary ? BINARY : TEXT, message.data, message);
  }

  #mayShare(data: Uint8Array): boolean {
    return data.length <= LARGEST_SHARED && this.#deflate?.readsShared !== false;
  }

  get sharedSink(): SharedSink | undefined {
    return this.#deflate || this.#fragmented ? undefined : (this.#batch ?? undefined);
  }

  #addShared(
    batch: FrameBatch,
    first: number,
    data: Uint8Array,
    shared: SharedMessage,
  ): Handover | undefined {
    const context = this.#deflate;
    if (!context) return batch.addShared((shared.frame ??= frameOf(first, data)));
    if (!context.idle) return undefined;
    const frame = (shared.compressedFrame ??= smallestFrameOf(first, data));
    if ((frame[0]! & COMPRESSED) !== 0) context.sentShared();
    return batch.addShared(frame);
  }

  #batching(): FrameBatch | null {
    // What comes too late is not written, and only ws's own callback says so.
    if (!this.writable) return null;
    if (this.#batch === undefined) this.#batch = this.#newBatch();
    else if (this.#batch?.direct === false) return this.stopBatching();
    return this.#batch;
  }

  /**
   * Where ws holds frames back itself, to compress them or to read a Blob, where the stream is no TCP
   * socket, and where somebody stands before its `write()`, who may hold them back, too, only a
   * callback for each frame tells when the kernel has taken it. What a
   * client sends has to be masked, which ws does, and a class of the app may have a `send()` of its
   * own.
   */
  #newBatch(): FrameBatch | null {
    const stream = plainSocketOf(this.socket);
    const direct = STRAIGHT && this.base.framesOnly && isServerSide(this.socket);
    if (!direct || !stream || !DirectWriter.serves(stream)) return null;
    if (this.socket.extensions !== '') {
      this.#deflate = DeflateContext.of(this.socket);
      if (!this.#deflate) return null;
    }
    return new FrameBatch(stream, (error, frames) => this.#report(error, frames));
  }

  /** From now on ws sends all, as it, or somebody before its stream, may hold something back. */
  stopBatching(): null {
    this.#batch?.endEarly();
    this.#batch = null;
    return null;
  }

  /** Told of what ws itself has sent. */
  get #sentByWs(): Written {
    return (this.#onSent ??= (error) => {
      this.#deflate?.leaveWs();
      this.#report(error, 1);
    });
  }

  /** Node reports success for writes that it cancelled as it destroyed the socket. */
  #report(error: Error | null | undefined, frames: number): void {
    const cancelled = !error && !this.#drained && streamOf(this.socket)?.destroyed;
    this.#written?.(cancelled ? new Error('The socket was destroyed first.') : error, frames);
  }

  ping(payload: Buffer, closes = false): void {
    if (closes) this.#lastPing = payload;
    else if (!this.connecting) this.#ping(payload);
  }

  #ping(payload: Buffer): void {
    const stream = streamOf(this.socket);
    if (stream && this.#plainFrames && this.writable) stream.write(pingOf(payload));
    else this.#inside(() => this.base.ping.call(this.socket, payload));
  }

  /** ws masks those of a client, and holds back what comes behind a Blob, or behind what it compresses. */
  get #plainFrames(): boolean {
    const { base, socket } = this;
    const known = this.#deflate ? this.#deflate.idle : socket.extensions === '';
    const ordered = this.#batch !== null && known;
    return STRAIGHT && base.pingsOnly && ordered && isServerSide(socket);
  }

  /** An unsolicited pong (RFC 6455 §5.5.3). */
  probe(): void {
    if (this.writable) this.#inside(() => this.base.pong.call(this.socket, NOTHING));
  }

  /** Notes the answer to a ping, so that none is answered twice. */
  answered(payload: unknown): void {
    this.#answered = payload;
  }

  /**
   * Answers a ping that ws left unanswered as it saw the owner's state; versions of ws that don't
   * look at the state have answered already. As ws does, past a limit it answers none.
   */
  pong(payload: Buffer): void {
    if (this.#answered === payload || !this.writable || !answersPings(this.socket)) return;
    if (this.#pendingPongs >= MAX_PENDING_PONGS) return;
    this.#pendingPongs++;
    this.#inside(() => {
      this.base.pong.call(this.socket, payload, undefined, () => this.#pendingPongs--);
    });
  }

  close(frame: CloseFrame): void {
    const ping = this.#lastPing;
    this.#lastPing = undefined;
    const stream = streamOf(this.socket);
    if (!ping || !stream) this.#close(frame);
    else if (!this.#closeAtOnce(ping, frame)) this.#closeCorked(stream, ping, frame);
  }

  #close({ code, reason }: CloseFrame): void {
    this.#inside(() => {
      if (code === NO_STATUS_RECEIVED) this.base.close.call(this.socket);
      else this.base.close.call(this.socket, code, reason);
    });
  }

  #closeAtOnce(ping: Buffer, frame: CloseFrame): boolean {
    const stream = plainSocketOf(this.socket);
    const batch = this.#batch ?? undefined;
    if (!stream || !Goodbye.serves(stream, batch)) return false;
    if (!this.base.closesOnly || !this.#plainFrames || !this.writable) return false;
    const goodbye = new Goodbye(stream, batch, pingOf(ping));
    if (!divertFrames(this.socket, goodbye, () => this.#close(frame))) return false;
    goodbye.leave();
    return true;
  }

  /** One system call, too. */
  #closeCorked(stream: Duplex, ping: Buffer, frame: CloseFrame): void {
    stream.cork();
    try {
      this.#ping(ping);
      this.#close(frame);
    } finally {
      stream.uncork();
    }
  }

  /**
   * ws ends the socket in a `close()` that follows both close frames, and of itself where the
   * peer has ended its side; one that it sees open would only write a close frame.
   */
  end(over = false): void {
    const stream = over ? plainSocketOf(this.socket) : undefined;
    if (stream && this.#mayDestroy) {
      endOnce(this.socket);
      stream.destroy();
    } else if (!this.writable) {
      this.#inside(() => this.base.close.call(this.socket));
    }
  }

  /**
   * A server closes the connection at once (RFC 6455 §7.1.1): with all of it in the kernel, that sends
   * what it would if the end of the peer's stream were awaited, which takes a round trip; only a peer
   * that goes on sending behind its close frame sees a reset.
   */
  get #mayDestroy(): boolean {
    return STRAIGHT && isServerSide(this.socket) && this.closeWritten;
  }

  destroy(): void {
    this.#batch?.endEarly();
    this.#drained ??= this.bufferedAmount === 0;
    this.#inside(() => this.base.terminate.call(this.socket));
  }

  get paused(): boolean {
    return this.socket.isPaused;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (this.socket.isPaused) this.socket.resume();
  }

  progressMark(): number {
    return writeQueueSize(this.socket);
  }

  get closeWritten(): boolean {
    return closeFrameSent(this.socket);
  }

  get closeFrameReceived(): boolean {
    return closeFrameReceived(this.socket);
  }

  /** Whether a call of `close()` is ws's own, and why; told once each. */
  takeVerdict(): ReceiverVerdict | undefined {
    if (this.#verdict) return undefined;
    if (receiverFailed(this.socket)) this.#verdict = 'protocol-failed';
    else if (closeFrameReceived(this.socket)) this.#verdict = 'peer-closed';
    return this.#verdict;
  }

  /** Why ws reads no more. */
  get receiverError(): unknown {
    return receiverError(this.socket);
  }

  #inside(call: () => void): void {
    const before = this.inside;
    this.inside = true;
    try {
      call();
    } finally {
      this.inside = before;
    }
  }
}
