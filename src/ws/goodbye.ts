import type { Socket } from 'node:net';
import { directWriter, DirectWriter, type WriteCallback } from './direct-writer.js';
import type { FrameBatch } from './frame-batch.js';
import type { FrameSink } from './ws.internals.js';

/**
 * The ping before the close frame and that frame as one write, past what a stream does for each of
 * the three that ws would make of them. ws makes the frame, and is told once the kernel has taken it.
 */
export class Goodbye implements FrameSink {
  readonly #pieces: Buffer[];
  #callback: WriteCallback = () => {};

  /** @param batch - that of the stream, if it has one */
  constructor(
    private readonly stream: Socket,
    private readonly batch: FrameBatch | undefined,
    ping: Buffer,
  ) {
    this.#pieces = [ping];
  }

  /** Whether a stream can be written to past it: it is open, and nobody stands before its `write()`. */
  static serves(stream: Socket, batch: FrameBatch | undefined): boolean {
    return stream.writable && (batch ? batch.direct : DirectWriter.serves(stream));
  }

  cork(): void {}

  uncork(): void {}

  write(bytes: Buffer, callback?: WriteCallback): boolean {
    this.#pieces.push(bytes);
    if (callback) this.#callback = callback;
    return true;
  }

  leave(): void {
    const { stream, batch } = this;
    const callback = this.#callback;
    batch?.flush();
    if (directWriter.write(stream, Buffer.concat(this.#pieces), callback)) callback();
  }
}
