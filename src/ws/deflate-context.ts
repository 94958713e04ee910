/* oxlint-disable no-underscore-dangle -- the name is that of ws. */
import { deflateRawSync, constants } from 'node:zlib';
import type { WebSocket } from 'ws';
import { deflateOf, type MessageDeflate } from './ws.internals.js';

/** Of the window that a message for all is compressed with (RFC 7692 §7.1.2): zlib's default. */
const WINDOW_BITS = 15;

/** Bytes that every flushed block ends with, and that no frame has (RFC 7692 §7.2.1). */
const TRAILER_LENGTH = 4;

/** The payload of a compressed frame that refers to nothing before it. */
export function deflated(data: Uint8Array): Buffer {
  const flushed = deflateRawSync(data, {
    windowBits: WINDOW_BITS,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  return flushed.subarray(0, -TRAILER_LENGTH);
}

/**
 * What the frames of one socket are compressed with. A frame that was compressed for many is in
 * the peer's window and not in the one that ws keeps (RFC 7692 §7.1.1): ws's next frame would
 * refer to what is no longer there, so its window is emptied first. ws must be asked for nothing
 * while it still compresses, as its frame would come later than one that is ready.
 */
export class DeflateContext {
  /** Messages that ws has and the kernel does not. */
  #inWs = 0;
  #stale = false;

  private constructor(private readonly deflate: MessageDeflate) {}

  /**
   * `undefined` where the peer's window is too small for what is compressed for many, or ws's own
   * can't be emptied.
   */
  static of(socket: WebSocket): DeflateContext | undefined {
    const deflate = deflateOf(socket);
    const bits = deflate?.params['server_max_window_bits'] ?? WINDOW_BITS;
    return deflate && bits === WINDOW_BITS ? new DeflateContext(deflate) : undefined;
  }

  /** A frame may be sent that ws knows nothing of. */
  get idle(): boolean {
    return this.#inWs === 0;
  }

  /** One that refers to nothing before it was sent. */
  overwrite(): void {
    this.#stale = true;
  }

  /** ws is about to send a message. */
  enterWs(): void {
    this.#inWs++;
    if (!this.#stale) return;
    this.#stale = false;
    this.deflate._deflate?.reset();
  }

  leaveWs(): void {
    this.#inWs--;
  }
}
