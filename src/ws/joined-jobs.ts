/* oxlint-disable no-underscore-dangle, typescript/unbound-method -- the names are those of Node and ws, and methods are called with their stream. */
import { AsyncResource } from 'node:async_hooks';
import type { Transform } from 'node:stream';
import { setImmediate } from 'node:timers';
import { constants } from 'node:zlib';
import type { WebSocket } from 'ws';
import type { Zlib } from './sync-deflate.js';
import { inflateAtOnce } from './sync-inflate.js';
import { deflateOf } from './ws.internals.js';

/** Bytes up to which chunks are copied into one, which takes less than a job of a thread. */
const LARGEST_COPY = 64 * 1024;

const HELD = Symbol('nestjs-safe-close.held');
const SCOPE = Symbol('nestjs-safe-close.scope');

type Callback = () => void;

interface ZlibMethods {
  write(chunk: Uint8Array, callback?: Callback): boolean;
  flush(...args: unknown[]): void;
}

/** What ws compresses, or inflates, with. */
interface ZlibStream extends Transform, Zlib {
  /** With what a chunk is written. */
  _defaultFlushFlag?: number;
  /** Written, and not begun. */
  [HELD]: Uint8Array[];
  /** Of what inflates: the same for all messages of a connection. */
  [SCOPE]: AsyncResource | undefined;
}

/**
 * ws has zlib compress a message by one job of a thread, and flush by another; it reads one by
 * three: what came, the end that is not sent with it (RFC 7692 §7.2.2), and a flush. Each job holds
 * up the event loop for longer than what most of them do. Here each message is one job, and a small
 * one that comes is none.
 */
export function joinJobs(client: WebSocket): void {
  const deflate = deflateOf(client);
  // ws makes its streams as they are needed, and some again; one that works already is not taken away.
  if (deflate && !deflate._deflate && !deflate._inflate) Object.defineProperties(deflate, FIELDS);
}

function joined(inflates: boolean): PropertyDescriptor & ThisType<Record<symbol, unknown>> {
  const key = Symbol('nestjs-safe-close.stream');
  return {
    configurable: true,
    enumerable: true,
    get() {
      return this[key] ?? null;
    },
    set(stream: ZlibStream | null) {
      this[key] = stream;
      if (typeof stream?._defaultFlushFlag !== 'number') return;
      const scope = inflates ? new AsyncResource('nestjs-safe-close.inflate') : undefined;
      Object.assign(stream, { write: hold, flush, [HELD]: [], [SCOPE]: scope });
    },
  };
}

/** Of all connections, as fields of its own would give each a shape of its own. */
const FIELDS = { _deflate: joined(false), _inflate: joined(true) };

function hold(this: ZlibStream, chunk: Uint8Array): boolean {
  this[HELD].push(chunk);
  return true;
}

/** ws flushes, in whatever way, behind all that it has written of a message, and waits for that. */
function flush(this: ZlibStream, ...args: unknown[]): void {
  const callback = args.at(-1) as Callback;
  const chunks = together(this[HELD]);
  this[HELD] = [];
  const last = chunks.pop();
  if (!last?.length) {
    flushNothing(this, args);
    return;
  }
  const { write } = Object.getPrototypeOf(this) as ZlibMethods;
  this._defaultFlushFlag = constants.Z_SYNC_FLUSH;
  for (const chunk of chunks) write.call(this, chunk);
  const scope = this[SCOPE];
  const rest = scope && chunks.length === 0 ? inflateAtOnce(this, last) : last;
  const done = scope ? (): void => scope.runInAsyncScope(callback) : callback;
  if (rest) write.call(this, rest, done);
  // Later, as ever: ws awaits it between two messages, and lets others have their turn meanwhile.
  else if (!this.destroyed) setImmediate(done);
}

function together(chunks: Uint8Array[]): Uint8Array[] {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return chunks.length > 1 && length <= LARGEST_COPY ? [Buffer.concat(chunks, length)] : chunks;
}

/** zlib flushes twice in a row only where something was written in between, in another way. */
function flushNothing(stream: ZlibStream, args: unknown[]): void {
  const { write, flush: flushAlone } = Object.getPrototypeOf(stream) as ZlibMethods;
  stream._defaultFlushFlag = constants.Z_NO_FLUSH;
  Object.assign(stream, { write });
  stream.write(Buffer.alloc(0));
  flushAlone.apply(stream, args);
  Object.assign(stream, { write: hold });
}
