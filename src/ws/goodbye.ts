import type { Duplex } from 'node:stream';
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

  constructor(ping: Buffer) {
    this.#pieces = [ping];
  }

  cork(): void {}

  uncork(): void {}

  write(bytes: Buffer, callback?: WriteCallback): boolean {
    this.#pieces.push(bytes);
    if (callback) this.#callback = callback;
    return true;
  }

  /** @param batch - that of the stream, if it has one */
  leave(stream: Duplex, batch: FrameBatch | null | undefined): void {
    const bytes = Buffer.concat(this.#pieces);
    const callback = this.#callback;
    let taken = false;
    if (batch) taken = batch.writeAtOnce(bytes, callback);
    else if (DirectWriter.serves(stream)) taken = directWriter.write(stream, bytes, callback);
    else stream.write(bytes, callback);
    if (taken) callback();
  }
}
