/* oxlint-disable no-underscore-dangle, typescript/unbound-method -- ws's private fields are the point of this file. */
import type { Duplex, Writable } from 'node:stream';
import type { ZlibOptions } from 'node:zlib';
import { WebSocket } from 'ws';
import { SetupError } from '../core/errors.js';

/**
 * The few private fields of ws that are read, only by way of this file, and of which one is ever set, for
 * as long as ws makes a close frame. ws has no public way to tell its own answer to the peer's close
 * frame from the app's `close()`, nor to find the socket of a client. All exist unchanged since ws 8.0;
 * `assertSupportedWs` checks at boot for those that can't be done without.
 */
interface Internals {
  /** Absent, or false, where the app answers pings itself. */
  readonly _autoPong?: boolean;
  /** Both since 8.21. */
  readonly _pendingAutoPongs?: number;
  readonly _maxPendingAutoPongs?: number;
  readonly _extensions: { readonly 'permessage-deflate'?: Partial<MessageDeflate> };
  readonly _isServer: boolean;
  readonly _closeFrameReceived: boolean;
  readonly _closeFrameSent: boolean;
  readonly _receiver:
    | (Writable & { readonly _writableState: { readonly errorEmitted: boolean } })
    | null;
  readonly _sender?: Sender | null;
  readonly _socket:
    | (Duplex & { readonly _handle?: { readonly writeQueueSize?: number } | null })
    | null;
}

interface Sender {
  _socket?: unknown;
  /** 0: it writes what it is given at once; since 8.18. */
  readonly _state?: number;
  /** Before that. */
  readonly _deflating?: boolean;
}

/** What compresses the frames of one socket. */
export interface MessageDeflate {
  /** As negotiated (RFC 7692 §7.1). */
  readonly params: Readonly<Record<string, unknown>>;
  /** A stream of zlib, whose window is that of the frames before; `null` until it is needed. */
  readonly _deflate: { reset(): void } | null;
  /** What inflates those of the peer. */
  readonly _inflate?: object | null;
  /** Those of the server. */
  readonly _options?: { readonly zlibDeflateOptions?: ZlibOptions };
  /** Bytes below which nothing is compressed where no context is kept. */
  readonly _threshold?: number;
}

/** What a receiver takes. */
export interface ReceiverLimits {
  readonly _binaryType: string;
  /** Bytes; 0: as many as come. */
  readonly _maxPayload: number;
  readonly _skipUTF8Validation: boolean;
}

/** A receiver of which it is known when it would emit a whole message at once. */
export interface DirectReceiver extends Writable, ReceiverLimits {
  readonly _allowSynchronousEvents: boolean;
  /** 0: the first bytes of a frame come next. */
  readonly _state: number;
  readonly _bufferedBytes: number;
  /** The opcode of a message of which not all frames came. */
  readonly _fragmented: number;
}

const RECEIVER_FIELDS: Readonly<Record<string, string>> = {
  _allowSynchronousEvents: 'boolean',
  _binaryType: 'string',
  _bufferedBytes: 'number',
  _fragmented: 'number',
  _maxPayload: 'number',
  _skipUTF8Validation: 'boolean',
  _state: 'number',
};

function internalsOf(socket: WebSocket): Internals {
  return socket as unknown as Internals;
}

/** ws has read the peer's close frame. */
export function closeFrameReceived(socket: WebSocket): boolean {
  return internalsOf(socket)._closeFrameReceived;
}

/** The kernel has taken our close frame. */
export function closeFrameSent(socket: WebSocket): boolean {
  return internalsOf(socket)._closeFrameSent;
}

/** ws answers pings of itself, unless the app has set `autoPong: false`. */
export function answersPings(socket: WebSocket): boolean {
  return internalsOf(socket)._autoPong === true;
}

/** The peer has sent more pings at once than ws answers, on which ws calls `terminate()`. */
export function pingsFlooded(socket: WebSocket): boolean {
  const { _pendingAutoPongs: pending = 0, _maxPendingAutoPongs: limit = 0 } = internalsOf(socket);
  return limit > 0 && pending >= limit;
}

/** ws has met a frame that breaks the protocol, and reads no more. */
export function receiverFailed(socket: WebSocket): boolean {
  return internalsOf(socket)._receiver?._writableState.errorEmitted ?? false;
}

export function receiverError(socket: WebSocket): unknown {
  return internalsOf(socket)._receiver?.errored ?? undefined;
}

/** `undefined` where ws is told to wait between two messages. */
export function directReceiverOf(socket: WebSocket): DirectReceiver | undefined {
  const receiver = internalsOf(socket)._receiver as DirectReceiver | null;
  return receiver?._allowSynchronousEvents ? receiver : undefined;
}

/** By the prototype of a copy of ws. */
const knownReceivers = new WeakMap<object, boolean>();

/** Whether this copy of ws has what `awaitsMessage` looks at; asked before anything is read. */
export function isKnownReceiver(receiver: DirectReceiver): boolean {
  const prototype = Object.getPrototypeOf(receiver) as object;
  let known = knownReceivers.get(prototype);
  if (known === undefined) {
    const fields = receiver as unknown as Record<string, unknown>;
    const typed = Object.entries(RECEIVER_FIELDS);
    known = typed.every(([name, type]) => typeof fields[name] === type) && awaitsMessage(receiver);
    knownReceivers.set(prototype, known);
  }
  return known;
}

/** A frame that comes now begins a message, and would be read at once. */
export function awaitsMessage(receiver: DirectReceiver): boolean {
  return (
    receiver._state === 0 &&
    receiver._bufferedBytes === 0 &&
    receiver._fragmented === 0 &&
    receiver.writableLength === 0 &&
    receiver.writable
  );
}

/** What it sends is not masked (RFC 6455 §5.1). */
export function isServerSide(socket: WebSocket): boolean {
  return internalsOf(socket)._isServer;
}

/** `undefined` where nothing is compressed, or this copy of ws does that in a way not known here. */
export function deflateOf(socket: WebSocket): MessageDeflate | undefined {
  const deflate = internalsOf(socket)._extensions['permessage-deflate'];
  return deflate?.params && '_deflate' in deflate ? (deflate as MessageDeflate) : undefined;
}

export function streamOf(socket: WebSocket): Duplex | undefined {
  return internalsOf(socket)._socket ?? undefined;
}

/** What ws has to read before it is sent, which may as well be a Blob of a library. */
export function isBlob(data: unknown): boolean {
  return (
    typeof data === 'object' &&
    data !== null &&
    typeof (data as Partial<Blob>).arrayBuffer === 'function'
  );
}

/** ws compresses something, or reads a Blob, and keeps what it is given meanwhile. */
export function holdsBack(socket: WebSocket): boolean {
  const { _sender: sender } = internalsOf(socket);
  return Boolean(sender?._state) || sender?._deflating === true;
}

/** What a sender of ws does with the stream it writes to. */
export interface FrameSink {
  cork(): void;
  uncork(): void;
  write(bytes: Buffer, callback?: (error?: Error | null) => void): boolean;
}

/** Has `sink` take what ws writes to the stream meanwhile; false: ws is not as it is known to be. */
export function divertFrames(socket: WebSocket, sink: FrameSink, call: () => void): boolean {
  const { _sender: sender, _socket: stream } = internalsOf(socket);
  if (!sender || !stream || sender._socket !== stream) return false;
  sender._socket = sink;
  try {
    call();
  } finally {
    sender._socket = stream;
  }
  return true;
}

/** Of a stream whose second `end()` does nothing, as it would without it. */
function endIfOpen(this: Writable, ...args: unknown[]): unknown {
  if (this.writableEnded && args.length === 0) return this;
  return Reflect.apply((Object.getPrototypeOf(this) as Writable).end, this, args);
}

/**
 * ws ends the stream and the receiver of each connection twice, and for each second time Node makes
 * an error, stack and all, that nobody gets to see: a seventh of what a close costs.
 */
export function endOnce(socket: WebSocket): void {
  const { _receiver, _socket } = internalsOf(socket);
  for (const stream of [_receiver, _socket]) {
    if (stream && !Object.hasOwn(stream, 'end')) Object.assign(stream, { end: endIfOpen });
  }
}

type Write = Writable['_write'];

function writeUnlessFailed(
  this: Writable & { readonly _errored?: boolean },
  ...[chunk, encoding, callback]: Parameters<Write>
): void {
  if (this._errored) callback();
  else (Object.getPrototypeOf(this) as Writable)._write.call(this, chunk, encoding, callback);
}

/**
 * Node gives a receiver what came while it decompressed also where the first of that has failed:
 * ws 8.23 then throws where nobody can catch it, which ends the process, and others make events of
 * it.
 */
export function stopAtFailure(socket: WebSocket): void {
  const { _receiver: receiver } = internalsOf(socket);
  if (receiver) Object.assign(receiver, { _write: writeUnlessFailed });
}

/** Bytes that libuv holds of the write in progress; 0 where that is not known. */
export function writeQueueSize(socket: WebSocket): number {
  return internalsOf(socket)._socket?._handle?.writeQueueSize ?? 0;
}

const REQUIRED = [
  '_closeFrameReceived',
  '_closeFrameSent',
  '_extensions',
  '_isServer',
  '_receiver',
  '_socket',
] as const;

/** Throws, with the version to install, where this copy of ws lacks what is needed. */
export function assertSupportedWs(WebSocketClass: typeof WebSocket = WebSocket): void {
  const probe: object = Reflect.construct(WebSocketClass, [null, undefined, {}]);
  const missing = REQUIRED.filter((field) => !(field in probe));
  if (missing.length > 0) {
    throw new SetupError(
      'ERR_UNSUPPORTED_WS',
      `This copy of ws has no ${missing.join(', ')}: install ws ^8.17.1 ("npm install ws@8").`,
    );
  }
}
