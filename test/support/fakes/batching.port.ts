import type { CloseFrame } from '../../../src/core/close-request.js';
import type {
  Handover,
  MessageData,
  MessageOptions,
  SharedMessage,
  SharedSink,
  SocketPort,
} from '../../../src/runtime/socket.port.js';
import { FakePort, messageOf } from './fake.port.js';
import { frameSize } from './frames.js';
import type { Pipe } from './pipe.js';
import type { Schedule } from './task.queue.js';

type Written = Parameters<SocketPort['send']>[2];

/** Larger messages are written at once, and are reported with the others. */
const LARGEST_HELD = 300;

/** Messages that are reported in one. */
class Batch {
  frames = 0;
  left = 0;
  ended = false;
  error: Error | null | undefined;
}

/**
 * The server's end of a socket in memory that keeps what is sent until its tick ends, or until
 * something else is written, and reports all messages of a tick in one. One that is `hasty` writes
 * the first of a tick at once, where none is pending.
 */
export class BatchingPort extends FakePort {
  #batch: Batch | undefined;
  #tick = 1;
  #heldBytes = 0;
  #held: { readonly data: Buffer; readonly binary: boolean }[] = [];
  #written: Written = () => {};
  /** Batches that were not reported. */
  #pending = 0;
  /** The first message of this tick was taken at once. */
  #left = false;

  constructor(
    out: Pipe,
    into: Pipe,
    private readonly later: Schedule,
    connecting: boolean,
    private readonly hasty = false,
  ) {
    super(out, into, later, connecting);
    this.batch = this.#tick;
    this.sendShared = (message, written) => this.#sendShared(message, written);
    const tick = (): number => this.#tick;
    const lone = (): boolean => this.#lone;
    this.sharedSink = {
      get tick() {
        return tick();
      },
      get lone() {
        return lone();
      },
      addShared: (frame) => this.#add(frame, false),
    } satisfies SharedSink;
  }

  override get bufferedAmount(): number {
    return super.bufferedAmount + this.#heldBytes;
  }

  override send(
    data: MessageData,
    options: MessageOptions | undefined,
    written: Written,
  ): Handover {
    if (data instanceof Blob) this.#stopBatching();
    if (!this.writable || this.batch === undefined) return super.send(data, options, written);
    const message = messageOf(data, options ?? {});
    this.#written = written;
    const handover = this.#add(message.data, message.isBinary);
    if (frameSize(message) > LARGEST_HELD) this.flush();
    return handover;
  }

  get #lone(): boolean {
    return this.hasty && this.writable && this.#pending === 0 && !this.#left;
  }

  #add(data: Buffer, binary: boolean): Handover {
    const { lone } = this.sharedSink!;
    this.hold(data, binary);
    if (!lone) return 'pending';
    const before = this.taken.length;
    this.flush();
    if (this.taken.length === before) return 'pending';
    this.#batch = undefined;
    this.#pending--;
    this.#tick++;
    if (this.batch !== undefined) this.batch = this.#tick;
    this.#left = true;
    this.later(() => (this.#left = false), 'written');
    return 'taken';
  }

  /** A message that is written when the tick ends. */
  hold(data: Buffer, binary: boolean): void {
    const batch = (this.#batch ??= this.#begin());
    batch.frames++;
    batch.left++;
    this.#held.push({ data, binary });
    this.#heldBytes += data.length;
  }

  /** What is held goes before it, while the socket still takes messages. */
  override close(frame: CloseFrame): void {
    this.flush();
    super.close(frame);
  }

  override destroy(): void {
    this.endTick();
    super.destroy();
  }

  endTick(): void {
    this.#left = false;
    const batch = this.#batch;
    if (!batch) return;
    this.flush();
    this.#batch = undefined;
    this.#tick++;
    if (this.batch !== undefined) this.batch = this.#tick;
    batch.ended = true;
    this.#reportDone(batch);
  }

  protected override flush(): void {
    const batch = this.#batch;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { data, binary } of held) {
      super.send(data, { binary }, (error) => {
        batch!.left--;
        batch!.error ??= error;
        this.#reportDone(batch!);
      });
    }
  }

  #begin(): Batch {
    const batch = new Batch();
    this.#pending++;
    this.later(() => {
      if (this.#batch === batch) this.endTick();
    }, 'written');
    return batch;
  }

  #reportDone({ ended, left, error, frames }: Batch): void {
    if (!ended || left > 0) return;
    this.#pending--;
    this.#written(error, frames);
  }

  #sendShared(message: SharedMessage, written: Written): Handover | undefined {
    if (!this.writable || this.batch === undefined) return undefined;
    this.#written = written;
    message.frame ??= message.data;
    return this.#add(message.frame, message.binary);
  }

  #stopBatching(): void {
    this.endTick();
    this.batch = undefined;
    this.sharedSink = undefined;
  }
}
