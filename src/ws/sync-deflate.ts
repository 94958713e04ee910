/* oxlint-disable no-underscore-dangle -- the names are those of Node. */
import {
  constants,
  createDeflateRaw,
  deflateRawSync,
  inflateRawSync,
  type DeflateRaw,
  type ZlibOptions,
} from 'node:zlib';

const { Z_MIN_CHUNK, Z_SYNC_FLUSH } = constants;

/** The largest window, and zlib's default (RFC 7692 §7.1.2). */
export const WINDOW_BITS = 15;

/** Bytes that every flushed block ends with, and that no frame has (RFC 7692 §7.2.1). */
const TRAILER_LENGTH = 4;

/** zlib's bound where it finds nothing to compress is n + n/8 + n/256 + n/512 + 4 (deflateBound). */
const SPARE_ROOM = 64;

/**
 * What Node's streams of zlib are made of. By its public functions one can compress at once, or
 * what came before can be referred to, but not both; the same since Node 11, and tried out before
 * it is used.
 */
export interface Zlib {
  readonly _handle: {
    writeSync(
      flush: number,
      data: Uint8Array,
      offset: number,
      length: number,
      target: Uint8Array,
      targetOffset: number,
      room: number,
    ): void;
  } | null;
  /** After a write: the room that is left, and the bytes that were not taken. */
  readonly _writeState: Uint32Array;
}

/** The payload of a compressed frame that refers to nothing before it, for the largest window. */
export function deflated(data: Uint8Array): Buffer {
  const flushed = deflateRawSync(data, { windowBits: WINDOW_BITS, finishFlush: Z_SYNC_FLUSH });
  return flushed.subarray(0, -TRAILER_LENGTH);
}

let supported: boolean | undefined;

/** Two messages, of which the second refers to the first, are what they were. */
function works(): boolean {
  const message = Buffer.from('a message that is sent twice');
  const target = Buffer.alloc(4 * message.length);
  const deflate = new SyncDeflate({});
  try {
    const first = deflate.write(message, target, 0);
    const second = deflate.write(message, target, first! + TRAILER_LENGTH);
    const read = inflateRawSync(target.subarray(0, second! + TRAILER_LENGTH), {
      finishFlush: Z_SYNC_FLUSH,
    });
    return second! - first! < first! && read.equals(Buffer.concat([message, message]));
  } catch {
    return false;
  } finally {
    deflate.close();
  }
}

/** Compresses a message at once, with those before it as its context. */
export class SyncDeflate {
  readonly #zlib: DeflateRaw & Zlib;

  constructor(options: ZlibOptions) {
    // The memory of a chunk is for what is read from the stream, which nobody does.
    this.#zlib = createDeflateRaw({ ...options, chunkSize: Z_MIN_CHUNK }) as DeflateRaw & Zlib;
    // It is destroyed then, which `write` sees.
    this.#zlib.on('error', () => {});
  }

  /** Whether this version of Node can do it. */
  static get supported(): boolean {
    return (supported ??= works());
  }

  /** Bytes that must be free for the payload of so many, whatever they are. */
  static roomFor(length: number): number {
    return length + (length >>> 3) + SPARE_ROOM;
  }

  /**
   * Writes the payload of a frame, for which there must be room, and behind it what is to be
   * written over.
   *
   * @returns its end; `undefined`: nothing that counts was written, and this can't be used any more
   */
  write(data: Uint8Array, target: Buffer, offset: number): number | undefined {
    const { _handle: handle, _writeState: state } = this.#zlib;
    if (!handle) return undefined;
    const room = target.length - offset;
    handle.writeSync(Z_SYNC_FLUSH, data, 0, data.length, target, offset, room);
    // With no room left there may be more to come.
    if (this.#zlib.destroyed || state[0] === 0) return undefined;
    return target.length - state[0]! - TRAILER_LENGTH;
  }

  /** Nothing can be written any more. */
  get closed(): boolean {
    return this.#zlib._handle === null;
  }

  /** What comes next refers to nothing before it. */
  reset(): void {
    if (!this.closed) this.#zlib.reset();
  }

  close(): void {
    this.#zlib.close();
  }
}
