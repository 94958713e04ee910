/* oxlint-disable no-underscore-dangle -- the name is that of Node. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { LONG_HEADER, MessageReader } from './message-reader.js';
import { clientOf } from './ownership.js';
import {
  awaitsMessage,
  directReceiverOf,
  isKnownReceiver,
  type DirectReceiver,
} from './ws.internals.js';

/** As much as libuv asks for. */
const READ_BYTES = 64 * 1024;

/**
 * What all connections read into, one after the other: Node makes 64 KiB of memory for each read,
 * however little it brings, which is a sixth of what a short message costs. Before it is room for
 * what was left of the read before.
 */
const bytes = Buffer.allocUnsafeSlow(LONG_HEADER + READ_BYTES);
const target = bytes.subarray(LONG_HEADER);

/**
 * A socket that was made with the option `onread` reads into memory of the app (net.Socket), but
 * nobody can give that option to one that a server accepts: it is put where Node would have.
 */
interface OnRead {
  readonly buffer: symbol;
  readonly callback: symbol;
}

interface Reading {
  readonly _handle?: { useUserBuffer?(bytes: Uint8Array): void } | null;
  [field: symbol]: unknown;
}

let onReadFields: OnRead | null | undefined;

function findOnRead(stream: Socket): OnRead | null {
  const symbols = Object.getOwnPropertySymbols(stream);
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map((name) =>
    symbols.find(({ description }) => description === name),
  );
  return buffer && callback ? { buffer, callback } : null;
}

/**
 * Has the short messages of a connection read without ws and without the machinery of two streams;
 * whatever else comes takes the way that it always took. Does nothing where Node or ws are not as
 * they are known to be.
 */
export function readDirectly(stream: Socket, client: WebSocket): void {
  const reading = stream as unknown as Reading;
  const fields = (onReadFields ??= findOnRead(stream));
  const receiver = directReceiverOf(client);
  if (!fields || reading[fields.buffer] !== null || !receiver || !isKnownReceiver(receiver)) return;
  const { _handle: handle } = reading;
  if (typeof handle?.useUserBuffer !== 'function') return;
  reading[fields.buffer] = target;
  reading[fields.callback] = onRead;
  handle.useUserBuffer(target);
}

/** Of a socket, the beginning of a header of which the rest is yet to come. */
const BEGUN = Symbol('nestjs-safe-close.begun');
/** And how many bytes are yet to come of a message that ws has the beginning of. */
const MISSING = Symbol('nestjs-safe-close.missing');

interface ReadingSocket extends Socket {
  [BEGUN]?: Uint8Array | undefined;
  [MISSING]?: number;
}

/** Returns false to read no more until somebody asks for it, as Node does. */
function onRead(this: ReadingSocket, length: number): boolean {
  const client = clientOf(this)!;
  const receiver = directReceiverOf(client);
  const end = LONG_HEADER + length;
  const reader = new MessageReader(bytes, takeBegun(this), end);
  let more = true;
  try {
    const missing = this[MISSING];
    if (missing) giveMissing(this, reader, missing, length);
    if (receiver && isNext(this, receiver)) {
      while (reader.next(receiver)) client.emit('message', reader.data, reader.isBinary);
    }
  } finally {
    // Also where a listener of the app has thrown.
    const { offset, begun, missing } = reader;
    if (begun) this[BEGUN] = new Uint8Array(bytes.subarray(offset, end));
    else if (offset < end) more = push(this, offset, end);
    if (missing > 0) this[MISSING] = missing;
  }
  return more;
}

/** Puts what was begun before what came; returns where that begins. */
function takeBegun(stream: ReadingSocket): number {
  const { [BEGUN]: begun } = stream;
  if (!begun) return LONG_HEADER;
  stream[BEGUN] = undefined;
  const offset = LONG_HEADER - begun.length;
  bytes.set(begun, offset);
  return offset;
}

/** So that the next message is where a read begins, if ws has no more than that. */
function giveMissing(
  stream: ReadingSocket,
  reader: MessageReader,
  missing: number,
  length: number,
): void {
  const { offset } = reader;
  const given = Math.min(missing, length);
  stream[MISSING] = missing - given;
  reader.offset += given;
  push(stream, offset, reader.offset);
}

function push(stream: Socket, offset: number, end: number): boolean {
  return stream.push(Buffer.from(bytes.subarray(offset, end)));
}

/** ws would be given what comes now, at once, and nobody else is. */
function isNext(stream: Socket, receiver: DirectReceiver): boolean {
  return (
    awaitsMessage(receiver) &&
    stream.readableFlowing === true &&
    stream.readableLength === 0 &&
    stream.listenerCount('data') === 1
  );
}
