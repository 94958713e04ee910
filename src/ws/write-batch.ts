import type { Duplex } from 'node:stream';

/**
 * Bytes after which a batch is written although the tick goes on: enough to make the system call
 * cheap, little enough that the first bytes of a burst leave early.
 */
const FLUSH_AT = 16 * 1024;

const NOTHING = Buffer.alloc(0);

type OnTaken = (frames: number, error?: Error | null) => void;

/** Batches that end with this tick. */
let open: WriteBatch[] = [];

function endTick(): void {
  const batches = open;
  open = [];
  for (const batch of batches) batch.end();
}

/**
 * Frames of one socket in one tick, written by one system call: ws makes one for each frame, and
 * that is most of what a send costs. The stream itself holds the frames back (`cork`), so that
 * pings, the close frame and what ws writes on its own keep their place among them.
 *
 * That the kernel has taken a batch is read off the stream once for all of it, which spares each
 * frame a callback; where some of it is left, one empty write behind it brings the news.
 */
export class WriteBatch {
  #corked = false;
  #frames = 0;

  constructor(
    private readonly stream: Duplex,
    /** Told how many frames the kernel has taken, or with an error that it will not. */
    private readonly onTaken: OnTaken,
  ) {}

  /** Before a frame is written. */
  begin(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.stream.cork();
    if (open.push(this) === 1) process.nextTick(endTick);
  }

  /** After a frame was written. */
  add(): void {
    this.#frames++;
    if (this.stream.writableLength < FLUSH_AT) return;
    this.stream.uncork();
    this.stream.cork();
  }

  /** Before the tick is over: who is told is told later all the same, as of any write. */
  endEarly(): void {
    this.end((frames, error) => process.nextTick(this.onTaken, frames, error));
  }

  /** Writes what is held back. */
  end(onTaken: OnTaken = this.onTaken): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.stream.uncork();
    const frames = this.#frames;
    this.#frames = 0;
    if (frames === 0) return;
    const { writable, writableLength } = this.stream;
    if (!writable) onTaken(frames, new Error('The socket was ended first.'));
    else if (writableLength === 0) onTaken(frames);
    else this.stream.write(NOTHING, (error) => onTaken(frames, error));
  }
}
