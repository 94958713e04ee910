import type { LossCause, SendOutcome } from '../core/outcomes.js';
import type { SendTotals } from './lifecycle.observer.js';
import { ReadMarks } from './read-marks.js';
import type { MessageData, MessageOptions, SocketPort } from './socket.port.js';

/** Settles one send; called exactly once. */
export type Settle = (outcome: SendOutcome) => void;

export interface SendRequest extends MessageOptions {
  /** Settle once the peer's stack has read it, rather than once the kernel has taken it. */
  readonly acknowledge?: boolean | undefined;
}

/** Told only while `watched`, so that an open connection's sends cost nothing here. */
export interface OutboxListener {
  /** The kernel has taken something. */
  onProgress(): void;
  /** The kernel has taken everything. */
  onFlushed(): void;
}

interface Queued {
  readonly data: MessageData;
  readonly options: MessageOptions | undefined;
  readonly bytes: number;
}

interface Waiter {
  readonly sequence: number;
  readonly settle: Settle;
}

const WRITTEN: SendOutcome = Object.freeze({ status: 'written' });
const ACKNOWLEDGED: SendOutcome = Object.freeze({ status: 'acknowledged' });

/**
 * Bytes after which a ping is placed behind a message, so that a slow reader of what the kernel
 * already holds is known to be alive: without, a close could tell it from a frozen one only by
 * the whole kernel buffer (megabytes). At the default handshake timeout of 5 s this follows
 * readers down to 52 KB/s, and those that are already behind down to 13 KB/s.
 */
const MARK_EVERY = 256 * 1024;
const MARK_EVERY_WHEN_BEHIND = 64 * 1024;

/** Pings without a pong past which no more are placed: by then the kernel's buffers are covered. */
const MAX_MARKS = 64;

function byteLengthOf(data: MessageData): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  if (typeof data === 'number') return String(data).length;
  // ws takes whatever Buffer.from() takes, such as a list of bytes.
  return data instanceof Blob ? data.size : (data.byteLength ?? 0);
}

/** What can wait without changing into something that can't be sent; `undefined`: it can't now. */
function asQueueable(data: MessageData): string | Buffer | Blob | undefined {
  if (typeof data === 'string' || data instanceof Blob) return data;
  if (typeof data === 'number') return String(data);
  try {
    return ArrayBuffer.isView(data)
      ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      : Buffer.from(data);
  } catch {
    return undefined;
  }
}

/**
 * The messages of one connection in the order of their acceptance (G2), and what became of each
 * (G3). Messages are numbered from 1; three counters say how far they came: handed to the port,
 * written to the kernel, acknowledged by the peer's stack. Only those that somebody waits for
 * have an object of their own.
 *
 * Past the high-water mark messages wait here rather than in the socket: what waits here has
 * surely not left, and the kernel's pace is seen message by message.
 */
export class Outbox {
  accepted = 0;
  refused = 0;
  /** Whether the listener is told. */
  watched = false;

  #handed = 0;
  #confirmed = 0;
  #acknowledged = 0;
  #unmarkedBytes = 0;
  #queuedBytes = 0;
  #queue: Queued[] = [];
  #head = 0;
  #writtenWaiters: Waiter[] | undefined;
  #acknowledgedWaiters: Waiter[] | undefined;
  #marks: ReadMarks | undefined;
  #askedFor = 0;
  #settled = false;

  constructor(
    private readonly port: SocketPort,
    private readonly highWaterMark: number,
    private readonly listener: OutboxListener,
  ) {}

  /** Messages that the kernel has taken; a pong can prove it before the write's callback does. */
  get written(): number {
    return Math.max(this.#confirmed, this.#acknowledged);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Counted by callbacks alone, so that the last of them ends the flush, and only once. */
  get unwritten(): boolean {
    return this.accepted > this.#confirmed;
  }

  /** Bytes that wait here; those handed over are the port's to count. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get totals(): SendTotals {
    return {
      accepted: this.accepted,
      written: this.written,
      acknowledged: this.#acknowledged,
      lost: this.#settled ? this.accepted - this.written : 0,
      refused: this.refused,
    };
  }

  /** Accepts a message, or returns false where it is nothing that can be sent. */
  accept(data: MessageData, request?: SendRequest, settle?: Settle): boolean {
    if (this.#queuedBytes === 0 && this.#mayHandOver) {
      if (!this.#handOver(data, request)) return false;
      this.accepted++;
      if (this.#unmarkedBytes >= MARK_EVERY) this.#markProgress();
    } else {
      const queueable = asQueueable(data);
      if (queueable === undefined) return false;
      // An empty message counts as one byte, so that `#queuedBytes` tells whether any waits.
      const bytes = byteLengthOf(queueable) || 1;
      this.#queue.push({ data: queueable, options: request && { ...request }, bytes });
      this.#queuedBytes += bytes;
      this.accepted++;
    }
    if (request?.acknowledge) this.whenAcknowledged(settle);
    else if (settle) (this.#writtenWaiters ??= []).push({ sequence: this.accepted, settle });
    return true;
  }

  /** Settles once everything accepted so far was read by the peer's stack. */
  whenAcknowledged(settle?: Settle): void {
    if (this.#acknowledged >= this.accepted) return settle?.(ACKNOWLEDGED);
    if (settle) (this.#acknowledgedWaiters ??= []).push({ sequence: this.accepted, settle });
    this.#askedFor = this.accepted;
    this.#ask();
  }

  /** Writes the ping that goes directly before the close frame; returns its number. */
  markClose(): number {
    const marks = (this.#marks ??= new ReadMarks());
    this.port.ping(marks.place(this.#handed));
    return marks.latest;
  }

  /** Sends a ping behind what was handed over; returns its number. */
  ping(): number {
    this.#mark();
    return this.#marks!.latest;
  }

  /** Takes a pong; returns the number of the ping it answers, `undefined` where not ours. */
  onPong(payload: Buffer): number | undefined {
    const mark = this.#marks?.read(payload);
    if (!mark) return undefined;
    this.#acknowledge(mark.covers);
    this.#ask();
    return mark.id;
  }

  acknowledgeAll(): void {
    this.#acknowledge(this.#handed);
  }

  /** Gives every open send its outcome; the connection has ended. */
  settle(cause: LossCause): void {
    this.#settled = true;
    const handed = this.#handed;
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
    const waiters = [...(this.#writtenWaiters ?? []), ...(this.#acknowledgedWaiters ?? [])];
    this.#writtenWaiters = undefined;
    this.#acknowledgedWaiters = undefined;
    this.#marks = undefined;
    for (const { sequence, settle } of waiters) {
      settle({ status: 'lost', cause, sent: sequence > handed ? 'no' : 'maybe' });
    }
  }

  /**
   * Below the high-water mark, or where none of ours is on its way: the callback of one that is
   * calls for the next, and a buffer full of pongs would call for nothing.
   */
  get #mayHandOver(): boolean {
    return this.port.bufferedAmount < this.highWaterMark || this.#handed === this.#confirmed;
  }

  #handOver(data: MessageData, options: MessageOptions | undefined): boolean {
    let bytes: number;
    try {
      bytes = typeof data === 'string' ? data.length : byteLengthOf(data);
      this.port.send(data, options, this.#onWritten);
    } catch {
      return false;
    }
    this.#handed++;
    this.#unmarkedBytes += bytes;
    return true;
  }

  /** A write that failed belongs to a connection that is ending, and `settle` tells of it. */
  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.#settled) return;
    this.#confirmed++;
    this.#settleWaiters(this.#writtenWaiters, this.written, WRITTEN);
    if (this.#queuedBytes > 0) this.#pump();
    if (!this.watched) return;
    this.listener.onProgress();
    if (!this.unwritten) this.listener.onFlushed();
  };

  #pump(): void {
    while (this.#head < this.#queue.length && this.#mayHandOver && this.port.writable) {
      const { data, options, bytes } = this.#queue[this.#head]!;
      if (!this.#handOver(data, options)) {
        // It was accepted, so only the end of the connection gives it a true outcome. What can
        // wait can be sent, but for a Blob by a ws that knows none.
        this.port.destroy();
        return;
      }
      this.#head++;
      this.#queuedBytes -= bytes;
      if (this.#unmarkedBytes >= MARK_EVERY_WHEN_BEHIND) this.#markProgress();
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      this.#ask();
    } else if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Pings for those who wait for an acknowledgement: one ping in flight serves all of them. */
  #ask(): void {
    if (this.#askedFor <= this.#acknowledged || this.#marks?.pending) return;
    if (this.#handed >= this.#askedFor) this.#mark();
  }

  #markProgress(): void {
    if ((this.#marks?.pending ?? 0) < MAX_MARKS) this.#mark();
  }

  #mark(): void {
    this.#unmarkedBytes = 0;
    this.port.ping((this.#marks ??= new ReadMarks()).place(this.#handed));
  }

  #acknowledge(covered: number): void {
    if (covered <= this.#acknowledged) return;
    this.#acknowledged = covered;
    this.#settleWaiters(this.#writtenWaiters, covered, WRITTEN);
    this.#settleWaiters(this.#acknowledgedWaiters, covered, ACKNOWLEDGED);
  }

  #settleWaiters(waiters: Waiter[] | undefined, reached: number, outcome: SendOutcome): void {
    if (!waiters || waiters.length === 0 || waiters[0]!.sequence > reached) return;
    let count = 1;
    while (count < waiters.length && waiters[count]!.sequence <= reached) count++;
    for (const { settle } of waiters.splice(0, count)) settle(outcome);
  }
}
