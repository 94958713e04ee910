/**
 * Sizes of chunks. The smallest holds what most connections send in a tick, so that a tick in
 * which all of them send something stays small; those above `FULL_CHUNK` are for a single long text,
 * of which nobody knows how many bytes it is before it is encoded.
 */
const SIZES = [1024, 4 * 1024, 16 * 1024, 64 * 1024, 128 * 1024, 256 * 1024] as const;

/**
 * Bytes up to which frames are put together: they make the system call cheap, and are a quarter of
 * the default high-water mark.
 */
export const FULL_CHUNK = SIZES[2];

/** Chunks of each size that are kept for the next tick: 4 MiB of each at most, a thousand of the second one. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** A piece of memory that frames are put together in, and that is written to a socket as one. */
export class FrameChunk {
  static readonly #free: FrameChunk[][] = SIZES.map(() => []);

  readonly bytes: Buffer;
  length = 0;

  private constructor(private readonly size: number) {
    this.bytes = Buffer.allocUnsafeSlow(SIZES[size]!);
  }

  /** @param room - bytes that must fit; at most those of the largest */
  static take(room: number): FrameChunk {
    let size = 0;
    while (SIZES[size]! < room) size++;
    return FrameChunk.#free[size]!.pop() ?? new FrameChunk(size);
  }

  get room(): number {
    return this.bytes.length - this.length;
  }

  append(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** One with the same content and more room; this one is given back. */
  grown(room: number): FrameChunk {
    const larger = FrameChunk.take(this.length + room);
    larger.append(this.filled());
    this.giveBack();
    return larger;
  }

  filled(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** For others to use: nobody may look at its content any more. */
  giveBack(): void {
    this.length = 0;
    const free = FrameChunk.#free[this.size]!;
    if (free.length * this.bytes.length < KEPT_BYTES) free.push(this);
  }
}
