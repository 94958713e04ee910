/* oxlint-disable typescript/unbound-method -- they are called with their stream as `this`. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Handover } from '../runtime/socket.port.js';
import { directWriter, type WriteCallback } from './direct-writer.js';
import { FrameChunk, FULL_CHUNK } from './frame-chunk.js';
import { FrameRun } from './frame-run.js';
import {
  frameOf,
  HEADER_ROOM,
  MAX_BYTES_PER_UNIT,
  writeCompressedFrame,
  writeFrame,
  type PayloadWriter,
} from './frame.js';
import { SyncDeflate } from './sync-deflate.js';

/** Bytes of a message above which nothing is gained by copying it beside others. */
const LARGEST_PAYLOAD = 4 * 1024;

/**
 * UTF-16 code units of a text up to which it is encoded into memory that is used again, in one
 * pass, where ws goes through it for its length first (bench, 64 KiB of fresh strings: 1.7 times as
 * fast as stock; with a Buffer of its own for each, 1.1).
 */
const LONGEST_TEXT = 64 * 1024;

/**
 * Frames of all sockets after which what is held is written although the tick goes on: less than
 * half a millisecond of sending, so that the first bytes of a burst leave early. Each time four
 * times as many may follow, which makes this cost a burst nothing.
 */
const FLUSH_AFTER = 1024;
const FLUSH_GROWTH = 4;

/**
 * And as many for each socket, which grow in the same way: a message to all is one write for each,
 * however many they are.
 */
const FRAMES_EACH = 8;

/**
 * Ticks in a row with one frame each after which the next one is not held for others that most
 * likely won't come: a crowd is then gone through once rather than twice, which is half of what a
 * broadcast costs beside its system calls. So many that a socket which is sent bursts now and then
 * has one write for each of them.
 */
const LONE_TICKS = 8;

const NOTHING = Buffer.alloc(0);
const BATCH = Symbol('nestjs-safe-close.batch');

type OnTaken = (error: Error | null | undefined, frames: number) => void;

type Method = (this: Duplex, ...args: unknown[]) => unknown;

/** A stream whose two ways to write have been put behind its batch. */
interface Batched {
  readonly [BATCH]: FrameBatch;
}

/** Which of the ticks in which something was sent; they end by the next `endTick`. */
let now = 0;
let ending = false;
/** Batches that end with this tick. */
let open: FrameBatch[] = [];
/** Frames held, and how many times the first limits they may reach. */
let held = 0;
let growth = 1;

/** The text that was sent last, for those who send one to many; its frame once it is sent again. */
let repeated: string | undefined;
let repeatedFirst = 0;
let repeatedFrame: Buffer | undefined;

/** What all begin with that send what others send. */
let noFrames = FrameRun.empty();

function awaitEnd(): void {
  if (ending) return;
  ending = true;
  process.nextTick(endTick);
}

function endTick(): void {
  ending = false;
  const batches = open;
  open = [];
  forget();
  for (const batch of batches) batch.end();
  now++;
  // Who was told may have sent more by a batch that had not ended yet, so that no tick follows.
  if (open.length === 0) forget();
}

/** What a tick has sent is not kept for the next. */
function forget(): void {
  held = 0;
  growth = 1;
  noFrames = FrameRun.empty();
  repeated = undefined;
  repeatedFrame = undefined;
}

function flushAll(): void {
  held = 0;
  growth *= FLUSH_GROWTH;
  for (const batch of open) batch.flush();
}

function flushingWrite(this: Duplex & Batched, ...args: unknown[]): unknown {
  this[BATCH].flush();
  return this[BATCH].write.apply(this, args);
}

function flushingEnd(this: Duplex & Batched, ...args: unknown[]): unknown {
  // As `endIfOpen`.
  if (this.writableEnded && args.length === 0) return this;
  this[BATCH].flush();
  return this[BATCH].endStream.apply(this, args);
}

/**
 * Frames of one socket in one tick, put together in one piece of memory and written by one system
 * call: ws makes one for each frame, and that is most of what a send costs. Whatever else is
 * written to the stream, such as a ping, the close frame or what ws writes on its own, first
 * writes what is held, so that all keeps its order.
 *
 * That the kernel has taken a batch is read off the stream once for all of it, which spares each
 * frame a callback; where some of it is left, one empty write behind it brings the news.
 */
export class FrameBatch {
  readonly write: Method;
  readonly endStream: Method;
  /** Of the frames that are reported in one; another one for each tick, and for a frame that was not held. */
  tick = 0;
  #open = false;
  #frames = 0;
  #chunk: FrameChunk | undefined;
  /** Instead of a chunk: only frames that others send, too. */
  #run: FrameRun | undefined;
  /** Of the frames of this tick, the kernel may not have taken all. */
  #unsure = false;
  /** What was held came too late for the stream. */
  #tooLate = false;
  /** Reports that are yet to come of earlier ticks. */
  #unreported = 0;
  /** Ticks in a row that had one frame each, as far as they count. */
  #lone = 0;
  /** The tick whose first frame was not held. */
  #leftIn = -1;

  /** @param stream - one that a `DirectWriter` serves */
  constructor(
    private readonly stream: Socket,
    /** Told how many frames the kernel has taken, or with an error that it will not. */
    private readonly onTaken: OnTaken,
  ) {
    this.write = stream.write as Method;
    this.endStream = stream.end as Method;
    Object.assign(stream, { [BATCH]: this, write: flushingWrite, end: flushingEnd });
  }

  /** Nobody stands before its stream's own `write()` but this; an app may put one there at any time. */
  get direct(): boolean {
    return this.stream.write === flushingWrite;
  }

  /** Bytes that the stream does not know of yet. */
  get bytes(): number {
    return this.#chunk?.length ?? this.#run?.length ?? 0;
  }

  get bufferedAmount(): number {
    return this.stream.writableLength + this.bytes;
  }

  /**
   * A whole frame that nobody changes any more: it is kept rather than copied, for all who send it.
   */
  addShared(frame: Buffer): Handover {
    if (this.bytes + frame.length > FULL_CHUNK) this.flush();
    if (this.#chunk) this.#chunkFor(frame.length).append(frame);
    else this.#run = (this.#run ?? noFrames).with(frame);
    return this.#added();
  }

  /**
   * @param first - the first byte of the frame
   * @returns `undefined` for what ws itself sends as fast
   */
  add(first: number, data: string | Uint8Array): Handover | undefined {
    if (typeof data !== 'string') {
      return data.length > LARGEST_PAYLOAD ? undefined : this.#encode(first, data, data.length);
    }
    if (data === repeated && first === repeatedFirst) return this.#addAgain(first, data);
    repeated = data;
    repeatedFirst = first;
    repeatedFrame = undefined;
    if (data.length > LONGEST_TEXT) return this.#addFramed(first, data);
    if (data.length > LARGEST_PAYLOAD) return this.#addLong(first, data);
    return this.#encode(first, data, data.length * MAX_BYTES_PER_UNIT);
  }

  /**
   * A message as the next one that `context` compresses.
   *
   * @returns `undefined` where it can't, and ws has to
   */
  addCompressed(first: number, data: Uint8Array, context: PayloadWriter): Handover | undefined {
    const chunk = this.#chunkFor(SyncDeflate.roomFor(data.length) + HEADER_ROOM);
    const end = writeCompressedFrame(chunk.bytes, chunk.length, first, data, context);
    if (end === undefined) return undefined;
    chunk.length = end;
    return this.#added();
  }

  #encode(first: number, data: string | Uint8Array, most: number): Handover {
    const chunk = this.#chunkFor(most + HEADER_ROOM);
    chunk.length = writeFrame(chunk.bytes, chunk.length, first, data);
    return this.#added();
  }

  /** Alone, and at once: its memory serves the next one. */
  #addLong(first: number, text: string): Handover {
    this.flush();
    const handover = this.#encode(first, text, text.length * MAX_BYTES_PER_UNIT);
    this.flush();
    return handover;
  }

  /** As a frame for all who send it, which leaves at once, too. */
  #addFramed(first: number, text: string): Handover {
    const handover = this.addShared((repeatedFrame ??= frameOf(first, text)));
    this.flush();
    return handover;
  }

  #addAgain(first: number, text: string): Handover {
    if (text.length > LARGEST_PAYLOAD) return this.#addFramed(first, text);
    const chunk = this.#chunkFor(text.length * MAX_BYTES_PER_UNIT + HEADER_ROOM);
    if (repeatedFrame) {
      chunk.append(repeatedFrame);
    } else {
      const from = chunk.length;
      chunk.length = writeFrame(chunk.bytes, from, first, text);
      repeatedFrame = Buffer.from(chunk.bytes.subarray(from, chunk.length));
    }
    return this.#added();
  }

  /** A frame that was, or will be, written by another way and is reported with the others. */
  count(): void {
    this.#unsure = true;
    this.#count();
  }

  #count(): void {
    this.#frames++;
    if (this.#open) return;
    this.#open = true;
    open.push(this);
    awaitEnd();
  }

  /**
   * Hands what is held to the stream; what was counted is reported at the end of the tick all the
   * same.
   *
   * @returns whether the kernel has taken all of it; false: that remains to be seen
   */
  flush(): boolean {
    const chunk = this.#chunk;
    const run = this.#run;
    if (!chunk && !run) return false;
    this.#chunk = undefined;
    this.#run = undefined;
    let taken = false;
    if (this.stream.writable) {
      taken = chunk ? this.#writeChunk(chunk) : this.#write(run!.joined());
    } else {
      this.#tooLate = true;
      chunk?.giveBack();
    }
    if (!taken) this.#unsure = true;
    return taken;
  }

  #writeChunk(chunk: FrameChunk): boolean {
    const { stream } = this;
    // Whoever stands before the stream may keep what is not written yet.
    if (!this.direct) return this.#write(chunk.filled());
    // What the kernel does not take at once is kept by the stream: no more of it than there is.
    const waits = stream.writableLength > 0;
    const taken = this.#write(waits ? Buffer.from(chunk.filled()) : chunk.filled());
    if (taken || waits || stream.writableLength === 0) chunk.giveBack();
    return taken;
  }

  #write(bytes: Buffer): boolean {
    if (this.direct) return directWriter.write(this.stream, bytes);
    this.#writeByStream(bytes);
    return false;
  }

  #writeByStream(bytes: Buffer, callback?: WriteCallback): void {
    try {
      this.stream.write(bytes, callback);
    } catch (error) {
      // Of whoever stands before it; what it did not take can't be told from what it did.
      this.stream.destroy(error as Error);
    }
  }

  /**
   * Before the tick is over, and nothing comes behind: who is told is told later all the same, as of
   * any write.
   */
  endEarly(): void {
    this.end((error, frames) => process.nextTick(this.onTaken, error, frames));
    // Nor by the lane of one who sends to many.
    this.#lone = 0;
  }

  end(onTaken: OnTaken = this.onTaken): void {
    if (!this.#open) return;
    this.#open = false;
    this.tick++;
    this.flush();
    const taken = !this.#unsure;
    this.#unsure = false;
    const frames = this.#frames;
    this.#frames = 0;
    const lone = frames === 1 && this.#leftIn !== now;
    this.#lone = lone ? Math.min(this.#lone + 1, LONE_TICKS) : 0;
    if (taken) onTaken(undefined, frames);
    else this.#reportWhenTaken(onTaken, frames);
  }

  #reportWhenTaken(onTaken: OnTaken, frames: number): void {
    const { stream } = this;
    const taken = stream.writableLength === 0;
    // A write that fails at once is told of later, but known at once.
    if (stream.destroyed || stream.errored || this.#tooLate || (!taken && !stream.writable)) {
      onTaken(new Error('The socket was ended first.'), frames);
    } else if (taken) {
      onTaken(undefined, frames);
    } else {
      this.#unreported++;
      this.#writeByStream(NOTHING, (error) => {
        this.#unreported--;
        onTaken(error, frames);
      });
    }
  }

  #added(): Handover {
    if (this.lone) return this.#leave();
    this.#count();
    const limit = growth * FLUSH_AFTER;
    if (++held >= limit && held >= growth * FRAMES_EACH * open.length) flushAll();
    // Nothing fits beside it any more, so that it gains nothing by waiting.
    else if (this.bytes > FULL_CHUNK) this.flush();
    return 'pending';
  }

  /** The frame that is held is most likely the only one of this tick, and nothing goes before it. */
  get lone(): boolean {
    const first = !this.#open && this.#leftIn !== now && this.#unreported === 0;
    return first && this.#lone === LONE_TICKS;
  }

  #leave(): Handover {
    if (!this.flush()) {
      this.#lone = 0;
      this.#count();
      return 'pending';
    }
    this.#leftIn = now;
    this.tick++;
    awaitEnd();
    return 'taken';
  }

  #chunkFor(room: number): FrameChunk {
    const run = this.#run;
    if (run && run.length + room > FULL_CHUNK) {
      this.flush();
    } else if (run) {
      this.#run = undefined;
      (this.#chunk = FrameChunk.take(run.length + room)).append(run.joined());
    }
    const chunk = this.#chunk;
    if (!chunk) return (this.#chunk = FrameChunk.take(room));
    if (chunk.room >= room) return chunk;
    if (chunk.length + room <= FULL_CHUNK) return (this.#chunk = chunk.grown(room));
    this.flush();
    return (this.#chunk = FrameChunk.take(FULL_CHUNK));
  }
}
