import { LONGEST_RUN, type BroadcastTally, type TallyRun } from './broadcast-tally.js';
import type { BufferBudget } from './buffer-budget.js';
import type { SharedMessage, SharedSink } from './socket.port.js';

/**
 * The short way of one connection for messages for many. Its outbox opens it behind one that took
 * the long way, for the rest of a batch, and takes in what came by it before it does anything
 * else: so that a crowd is gone through once for all broadcasts of a turn, and for each of them
 * only this is looked at.
 */
export class SharedLane {
  /** Messages that came since it was opened or taken in, and their bytes. */
  messages = 0;
  bytes = 0;
  #run: TallyRun | undefined;
  #sink: SharedSink | undefined;
  #tick = 0;
  #room = 0;

  constructor(private readonly budget: BufferBudget) {}

  /** @param run - those that went before in this batch */
  open(sink: SharedSink, run: TallyRun, room: number): void {
    this.#sink = sink;
    this.#tick = sink.tick;
    this.#run = run;
    this.#room = room;
  }

  /** Sends it; false: it has to take the long way. */
  take(message: SharedMessage, tally: BroadcastTally): boolean {
    const { frame, data } = message;
    const sink = this.#sink;
    if (!sink || data.length > this.#room || !frame || sink.tick !== this.#tick) return false;
    if (this.#run!.length >= LONGEST_RUN) return false;
    this.#room -= data.length;
    this.messages++;
    this.bytes += data.length;
    this.budget.used += data.length;
    this.#run = tally.behind(this.#run);
    sink.addShared(frame);
    return true;
  }

  /** What came, as one run; it is closed. */
  takeIn(): TallyRun {
    const run = this.#run!;
    this.messages = 0;
    this.bytes = 0;
    this.close();
    return run;
  }

  /** What came and was not taken in yet is kept; nothing else, as it would keep all who got it. */
  close(): void {
    this.#sink = undefined;
    if (this.messages === 0) this.#run = undefined;
  }
}
