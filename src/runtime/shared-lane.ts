import { WRITTEN } from '../core/outcomes.js';
import { LONGEST_RUN, type BroadcastTally, type TallyRun } from './broadcast-tally.js';
import type { BufferBudget } from './buffer-budget.js';
import type { Handover, SharedMessage, SharedSink } from './socket.port.js';

/**
 * The short way of one connection for messages for many. Its outbox opens it behind one that took
 * the long way: for the rest of a batch, or, where that one was taken by the kernel, for as long as
 * each goes alone. It takes in what came by it before it does anything else: so that for each of
 * those messages only this is looked at, and a crowd is gone through once for all of a turn.
 */
export class SharedLane {
  /** Messages that came since it was opened or taken in: those that the kernel took at once. */
  taken = 0;
  takenBytes = 0;
  /** And the others. */
  pending = 0;
  pendingBytes = 0;
  #run: TallyRun | undefined;
  #sink: SharedSink | undefined;
  #tick = 0;
  #room = 0;

  constructor(private readonly budget: BufferBudget) {}

  /** @param run - those that went before in this batch; absent: none is on its way */
  open(sink: SharedSink, run: TallyRun | undefined, room: number): void {
    this.#sink = sink;
    this.#tick = sink.tick;
    this.#run = run;
    this.#room = room;
  }

  get messages(): number {
    return this.taken + this.pending;
  }

  get bytes(): number {
    return this.takenBytes + this.pendingBytes;
  }

  /** Sends it; false: it has to take the long way. */
  take(message: SharedMessage, tally: BroadcastTally): boolean {
    const { frame, data } = message;
    const sink = this.#sink;
    const run = this.#run;
    if (!sink || data.length > this.#room || !frame) return false;
    if (run ? sink.tick !== this.#tick || run.length >= LONGEST_RUN : !sink.lone) return false;
    let handover: Handover;
    try {
      handover = sink.addShared(frame);
    } catch {
      return false;
    }
    this.#room -= data.length;
    if (handover === 'taken') {
      this.taken++;
      this.takenBytes += data.length;
      tally.add(WRITTEN);
    } else {
      this.pending++;
      this.pendingBytes += data.length;
      this.budget.used += data.length;
      this.#run = tally.behind(run);
      if (!run) this.#tick = sink.tick;
    }
    return true;
  }

  /** What came and is on its way, as one run; it is closed. */
  takeIn(): TallyRun | undefined {
    const run = this.#run;
    this.taken = 0;
    this.takenBytes = 0;
    this.pending = 0;
    this.pendingBytes = 0;
    this.close();
    return run;
  }

  /** What came and was not taken in yet is kept; nothing else, as it would keep all who got it. */
  close(): void {
    this.#sink = undefined;
    if (this.messages === 0) this.#run = undefined;
  }
}
