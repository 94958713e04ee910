import { frameSize, type Frame } from './frames.js';
import type { Schedule } from './task.queue.js';

type Done = (error?: Error) => void;

interface Write {
  readonly bytes: number;
  readonly done: Done;
}

interface UnreadFrame {
  readonly frame: Frame;
  left: number;
}

function bytesOf(writes: readonly Write[]): number {
  return writes.reduce((sum, { bytes }) => sum + bytes, 0);
}

/**
 * One direction of a connection: writes as Node's streams make them, and a kernel of a set size
 * between the two ends. A write that the kernel takes whole is done at once; while one is not,
 * the later ones wait, and are then written together.
 */
export class Pipe {
  /** Called when there may be something to read. */
  onReadable: () => void = () => {};
  /** Called once all that was written before its end is in the kernel. */
  onFinished: () => void = () => {};

  /** Frames that the kernel has taken whole. */
  readonly taken: Frame[] = [];

  /** Bytes in the kernel that have not been read. */
  #kernel = 0;
  #takenBytes = 0;
  #writtenBytes = 0;
  #untaken: { readonly frame: Frame; readonly end: number }[] = [];
  #unread: UnreadFrame[] = [];
  #current: readonly Write[] | undefined;
  #currentLeft = 0;
  #waiting: Write[] = [];
  #end: 'open' | 'asked' | 'ended' | 'reset' = 'open';
  #destroyed: Error | undefined;

  constructor(
    private readonly capacity: number,
    private readonly schedule: Schedule,
  ) {}

  /** Bytes of writes that are not done. */
  get bufferedAmount(): number {
    return bytesOf(this.#current ?? []) + bytesOf(this.#waiting);
  }

  /** Bytes of the write in progress that the kernel has not taken. */
  get left(): number {
    return this.#currentLeft;
  }

  /** Bytes that can be read. */
  get readable(): number {
    return this.#kernel;
  }

  /** Nothing more will be read. */
  get ended(): boolean {
    return this.#kernel === 0 && (this.#end === 'ended' || this.#end === 'reset');
  }

  get reset(): boolean {
    return this.#end === 'reset';
  }

  /** The writer has ended it, and all that it wrote is in the kernel. */
  get finished(): boolean {
    return this.#end === 'ended' || this.#end === 'reset';
  }

  write(frame: Frame, done: Done = () => {}): void {
    const bytes = frameSize(frame);
    if (this.#destroyed || this.#end !== 'open') {
      const error = this.#destroyed ?? new Error('write after end');
      this.schedule(() => done(error), 'written');
      return;
    }
    this.#unread.push({ frame, left: bytes });
    this.#writtenBytes += bytes;
    this.#untaken.push({ frame, end: this.#writtenBytes });
    if (this.#current) this.#waiting.push({ bytes, done });
    else this.#begin([{ bytes, done }]);
  }

  /** Ends it once everything is written. */
  end(): void {
    if (this.#end !== 'open') return;
    this.#end = 'asked';
    this.#finish();
  }

  /** Gives up what the kernel has not taken; what it has may still be read. */
  destroy(error: Error): void {
    if (this.#destroyed) return;
    this.#destroyed = error;
    const writes = [...(this.#current ?? []), ...this.#waiting];
    this.#current = undefined;
    this.#currentLeft = 0;
    this.#waiting = [];
    for (const { done } of writes) this.schedule(() => done(error), 'written');
    if (this.#end !== 'reset') this.#end = 'ended';
    this.onReadable();
  }

  /** Also throws away what is in the kernel. */
  destroyWithReset(error: Error): void {
    this.#end = 'reset';
    this.#kernel = 0;
    this.#unread = [];
    this.destroy(error);
  }

  /** Reads at most so many bytes; returns the frames that they complete. */
  read(bytes: number): Frame[] {
    const frames: Frame[] = [];
    let left = Math.min(bytes, this.#kernel);
    this.#kernel -= left;
    while (left > 0) {
      const next = this.#unread[0]!;
      const taken = Math.min(left, next.left);
      next.left -= taken;
      left -= taken;
      if (next.left > 0) break;
      this.#unread.shift();
      frames.push(next.frame);
    }
    this.#fill();
    return frames;
  }

  /** Reads up to the end of the next frame; `undefined` where that has not arrived. */
  readFrame(): Frame | undefined {
    return this.read(this.#unread[0]?.left ?? 0)[0];
  }

  #begin(writes: readonly Write[]): void {
    this.#current = writes;
    this.#currentLeft = bytesOf(writes);
    this.#take();
    if (this.#currentLeft > 0) return;
    this.#current = undefined;
    this.schedule(() => this.#tell(writes), 'written');
  }

  #take(): void {
    const bytes = Math.min(this.capacity - this.#kernel, this.#currentLeft);
    this.#kernel += bytes;
    this.#currentLeft -= bytes;
    this.#takenBytes += bytes;
    while (this.#untaken[0] && this.#untaken[0].end <= this.#takenBytes) {
      this.taken.push(this.#untaken.shift()!.frame);
    }
    if (bytes > 0) this.onReadable();
  }

  /** The kernel has room again. */
  #fill(): void {
    if (this.#currentLeft === 0) return;
    this.#take();
    if (this.#currentLeft > 0) return;
    const writes = this.#current!;
    this.schedule(() => {
      if (this.#current !== writes) return;
      this.#current = undefined;
      const next = this.#waiting;
      this.#waiting = [];
      if (next.length > 0) this.#begin(next);
      this.#tell(writes);
      this.#finish();
    }, 'written');
  }

  #tell(writes: readonly Write[]): void {
    for (const { done } of writes) done(this.#destroyed);
  }

  #finish(): void {
    if (this.#end !== 'asked' || this.#current) return;
    this.#end = 'ended';
    this.onReadable();
    this.onFinished();
  }
}
