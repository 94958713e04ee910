/* oxlint-disable no-underscore-dangle -- the name is that of Node. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { BINARY, PONG } from './frame.js';
import { copyOf, MessageReader } from './message-reader.js';
import { clientOf } from './ownership.js';
import {
  awaitsMessage,
  directReceiverOf,
  isKnownReceiver,
  type DirectReceiver,
} from './ws.internals.js';

/**
 * What all connections read into, one after the other, as much as libuv asks for: Node makes as much
 * memory for each read, however little it brings, which is a sixth of what a short message costs.
 */
const bytes = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * A socket that was made with the option `onread` reads into memory of the app (net.Socket), but
 * nobody can give that option to one that a server accepts: it is put where Node would have.
 */
interface OnRead {
  readonly buffer: symbol;
  readonly callback: symbol;
}

type Listener = (...args: unknown[]) => void;

/** Of a socket, what came and was not taken: less than a header, or what is behind an error. */
const KEPT = Symbol('nestjs-safe-close.kept');
/** And how many bytes are yet to come of a message that ws has the beginning of. */
const MISSING = Symbol('nestjs-safe-close.missing');

interface ReadingSocket extends Socket {
  readonly _handle?: { useUserBuffer?(bytes: Uint8Array): void } | null;
  [KEPT]?: Buffer | undefined;
  [MISSING]?: number;
  [field: symbol]: unknown;
}

let onReadFields: OnRead | undefined;

function findOnRead(stream: Socket): OnRead | undefined {
  const symbols = Object.getOwnPropertySymbols(stream);
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map((name) =>
    symbols.find(({ description }) => description === name),
  );
  return buffer && callback && { buffer, callback };
}

/** Of each copy of ws, by the prototype of its receivers, what listens to the stream. */
const listenersOfWs = new WeakMap<object, Listener>();

function listenerOf(receiver: DirectReceiver): Listener | undefined {
  return listenersOfWs.get(Object.getPrototypeOf(receiver) as object);
}

/** Before anybody else can listen. */
function learnListener(stream: Socket, receiver: DirectReceiver): boolean {
  const [listener, ...others] = stream.listeners('data') as Listener[];
  if (!listener || others.length > 0) return false;
  listenersOfWs.set(Object.getPrototypeOf(receiver) as object, listener);
  return true;
}

/**
 * Has the short messages and the pongs of a connection read without ws and without the machinery of
 * two streams; whatever else comes takes the way that it always took. Does nothing where Node or ws
 * are not as they are known to be.
 */
export function readDirectly(stream: Socket, client: WebSocket): void {
  const reading = stream as ReadingSocket;
  const fields = (onReadFields ??= findOnRead(stream));
  const receiver = directReceiverOf(client);
  if (!fields || reading[fields.buffer] !== null || !receiver || !isKnownReceiver(receiver)) return;
  if (typeof reading._handle?.useUserBuffer !== 'function') return;
  if (!listenerOf(receiver) && !learnListener(stream, receiver)) return;
  reading[fields.buffer] = bytes;
  reading[fields.callback] = onRead;
  reading.pause = pause;
  reading._handle.useUserBuffer(bytes);
}

/** Node reads nothing more at once where there is `onread`, and on into the stream where there is none. */
function pause(this: ReadingSocket): ReadingSocket {
  return Duplex.prototype.pause.call(this) as ReadingSocket;
}

/** Returns false to read no more until somebody asks for it, as Node does. */
function onRead(this: ReadingSocket, length: number): boolean {
  const kept = this[KEPT];
  if (!kept) return take(this, bytes, length);
  this[KEPT] = undefined;
  const both = Buffer.allocUnsafeSlow(kept.length + length);
  both.set(kept);
  bytes.copy(both, kept.length, 0, length);
  return take(this, both, both.length);
}

/** @param chunk - what came is at its beginning; it may be used again */
function take(stream: ReadingSocket, chunk: Buffer, length: number): boolean {
  const client = clientOf(stream)!;
  const receiver = directReceiverOf(client);
  if (!receiver || !isRead(stream, receiver)) return stream.push(copyOf(chunk, 0, length));
  // So that the next message is where the rest begins, if ws has no more than that.
  const owed = stream[MISSING] ?? 0;
  const missing = Math.min(owed, length);
  if (missing > 0) {
    stream[MISSING] = owed - missing;
    give(stream, receiver, copyOf(chunk, 0, missing));
  }
  const reader = new MessageReader(chunk, missing, length);
  if (awaitsMessage(receiver)) readMessages(stream, client, receiver, reader);
  if (reader.offset < length) give(stream, receiver, reader.takeRest());
  return true;
}

function readMessages(
  stream: ReadingSocket,
  client: WebSocket,
  receiver: DirectReceiver,
  reader: MessageReader,
): void {
  let threw = true;
  try {
    while (reader.next(receiver)) {
      const { first, data } = reader;
      if (first === PONG) client.emit('pong', data);
      else client.emit('message', data, first === BINARY);
    }
    threw = false;
  } finally {
    if (threw || reader.begun) stream[KEPT] = reader.takeRest();
    // A listener of the app has thrown: what is behind it comes before what is read next.
    if (threw) process.nextTick(takeKept, stream);
  }
  if (reader.missing > 0) stream[MISSING] = reader.missing;
}

function takeKept(stream: ReadingSocket): void {
  const kept = stream[KEPT];
  stream[KEPT] = undefined;
  if (kept) take(stream, kept, kept.length);
}

/** What ws's listener does with what comes; what has ended or failed takes nothing more. */
function give(stream: Socket, receiver: DirectReceiver, chunk: Buffer): void {
  if (receiver.writable && !receiver.write(chunk)) stream.pause();
}

/** The stream would hand on at once what comes now, to ws and to nobody else. */
function isRead(stream: Socket, receiver: DirectReceiver): boolean {
  return (
    stream.readableFlowing === true &&
    stream.readableLength === 0 &&
    stream.listenerCount('data') === 1 &&
    stream.listenerCount('data', listenerOf(receiver)) === 1
  );
}
