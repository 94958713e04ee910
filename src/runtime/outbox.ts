import { WRITTEN, type LossCause, type RefusalCause, type SendOutcome } from '../core/outcomes.js';
import { admissionOf, type Admission } from '../core/overflow.js';
import { LONGEST_RUN, type BroadcastTally, type TallyRun } from './broadcast-tally.js';
import type { BufferBudget } from './buffer-budget.js';
import type { SendPolicy } from './connection.policy.js';
import type { SendTotals } from './send-totals.js';
import { ReadMarks } from './read-marks.js';
import { SharedLane } from './shared-lane.js';
import { SendQueue, type Queued } from './send-queue.js';
import type { SendRequest, Settle } from './send-request.js';
import type { Handover, MessageData, SharedMessage, SocketPort } from './socket.port.js';
import { isBinary, Unacknowledged, type UnacknowledgedMessage } from './unacknowledged.js';
import { WaitingSends } from './waiting-sends.js';

/** Each is told only while it is asked for, so that an open connection's sends cost nothing here. */
export interface OutboxListener {
  /** The kernel has taken something; while `watched`. */
  onProgress(): void;
  /** The kernel has taken everything; while `watched`. */
  onFlushed(): void;
  /** A message that was accepted was given up, to make room for a newer one. */
  onDropped(): void;
  /** The sender of a message has waited in vain. */
  onRefused(cause: RefusalCause): void;
}

/**
 * What became of a message at once. `waiting`: it is accepted, or refused, later; `overflow`:
 * there is no room for it; `slow-consumer`: nor for any other; `unsendable`: it is nothing that
 * can be sent.
 */
export type Acceptance = 'accepted' | 'waiting' | 'overflow' | 'slow-consumer' | 'unsendable';

interface Waiter {
  sequence: number;
  settle(outcome: SendOutcome): void;
}

/** Who waits for all messages that are reported in one. */
interface SharedWaiter extends Waiter {
  readonly batch: number;
  readonly outcome: Promise<SendOutcome>;
}

/** The broadcasts among them. */
class BroadcastWaiter implements Waiter {
  constructor(
    public sequence: number,
    private readonly batch: number | undefined,
    public run: TallyRun,
  ) {}

  /** Whether one more of that batch may share it. */
  takes(batch: number | undefined): boolean {
    return batch !== undefined && this.batch === batch && this.run.length < LONGEST_RUN;
  }

  extend(sequence: number, run: TallyRun): void {
    this.sequence = sequence;
    this.run = run;
  }

  settle(outcome: SendOutcome): void {
    this.run.add(outcome);
  }
}

const TAKEN = Promise.resolve(WRITTEN);
const ACKNOWLEDGED: SendOutcome = Object.freeze({ status: 'acknowledged' });
const OVERFLOWN: SendOutcome = Object.freeze({ status: 'dropped', cause: 'overflow' });
const CONFLATED: SendOutcome = Object.freeze({ status: 'dropped', cause: 'conflated' });

/**
 * Bytes after which a ping is placed behind a message, so that a slow reader of what the kernel
 * already holds is known to be alive: without, a close could tell it from a frozen one only by
 * the whole kernel buffer (megabytes). At the default handshake timeout of 5 s this follows
 * readers down to 52 KB/s, and those that are already behind down to 13 KB/s.
 */
const MARK_EVERY = 256 * 1024;
const MARK_EVERY_WHEN_BEHIND = 64 * 1024;

/** Bytes that may go by the lane of a connection before its limits are looked at again. */
const LANE_ROOM = 16 * 1024;

/** Pings without a pong past which no more are placed: by then the kernel's buffers are covered. */
const MAX_MARKS = 64;

/** The low-water mark, as a part of the high one: SignalR pauses at 64 KiB and resumes at 32. */
const LOW_WATER_SHARE = 0.5;

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
 * The messages of one connection in the order of their acceptance (G2), what became of each (G3),
 * and how many bytes of them are held (G11). Those handed to the port are numbered from 1; three
 * counters say how far they came: handed over, written to the kernel, acknowledged by the peer's
 * stack. Only those that somebody waits for have an object of their own.
 *
 * Past the high-water mark messages wait in a queue here rather than in the socket: what waits
 * here has surely not left, can still be dropped, and the kernel's pace is seen message by
 * message. Past the limits the overflow policy acts; below the mark nothing is looked at but the
 * mark, so that one message may always be as large as it likes.
 */
export class Outbox {
  refused = 0;
  dropped = 0;
  /** Whether the listener is told of progress. */
  watched = false;

  readonly #keepsAll: boolean;
  #accepted = 0;
  #handed = 0;
  #confirmed = 0;
  #acknowledged = 0;
  #unmarkedBytes = 0;
  /** What of the module's budget is held here. */
  #charged = 0;
  #lane: SharedLane | undefined;
  #queue: SendQueue | undefined;
  #waiting: WaitingSends | undefined;
  #unacknowledged: Unacknowledged | undefined;
  #writtenWaiters: Waiter[] | undefined;
  // Those that wait for what is reported next, as long as no ping parts it.
  #shared: SharedWaiter | undefined;
  #broadcasts: BroadcastWaiter | undefined;
  #acknowledgedWaiters: Waiter[] | undefined;
  #roomWaiters: ((room: boolean) => void)[] | undefined;
  #marks: ReadMarks | undefined;
  #askedFor = 0;
  #settled = false;
  /** Senders may wait for room. */
  #patient = true;

  constructor(
    private readonly port: SocketPort,
    private readonly policy: SendPolicy,
    private readonly budget: BufferBudget,
    private readonly listener: OutboxListener,
  ) {
    this.#keepsAll = policy.acknowledge || policy.onUnacknowledged !== undefined;
  }

  get accepted(): number {
    return this.#accepted + (this.#lane?.messages ?? 0);
  }

  /** Messages that the kernel has taken; a pong can prove it before the write's callback does. */
  get written(): number {
    return Math.max(this.#confirmed + (this.#lane?.taken ?? 0), this.#acknowledged);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Who watches is told by callbacks alone, so that the last of them ends the flush, and only once. */
  get unwritten(): boolean {
    this.#takeIn();
    return this.#handed > this.#confirmed || this.#queue?.first !== undefined;
  }

  /** Bytes that wait here, accepted or not; those handed over are the port's to count. */
  get queuedBytes(): number {
    return (this.#queue?.bytes ?? 0) + (this.#waiting?.bytes ?? 0);
  }

  get totals(): SendTotals {
    const { accepted, written, acknowledged, refused, dropped } = this;
    const lost = this.#settled ? accepted - written - dropped : 0;
    return { accepted, written, acknowledged, dropped, lost, refused };
  }

  /** @param patient - the sender can wait until there is room; it then has a `settle` if it cares */
  accept(data: MessageData, request?: SendRequest, settle?: Settle, patient = true): Acceptance {
    this.#takeIn();
    const buffered = this.#buffered();
    if (this.#mayPass(buffered, data, request)) {
      if (!this.#pass(buffered, data, request)) return 'unsendable';
      this.#await(request, settle);
      this.#markWhereDue();
      return 'accepted';
    }
    const queueable = asQueueable(data);
    if (queueable === undefined) return 'unsendable';
    // An empty message counts as one byte, so that a flood of them has a bound, too.
    const bytes = byteLengthOf(queueable) || 1;
    const copy = request && { ...request };
    return this.#admit({ data: queueable, request: copy, bytes, settle }, patient && this.#patient);
  }

  /**
   * Accepts a message that may be handed over now. The promise is that of all messages which the
   * port will report with it, as a promise for each would cost more than the message.
   *
   * @returns undefined where it was not accepted, and `accept` has to say why
   */
  acceptInBatch(data: MessageData): Promise<SendOutcome> | undefined {
    const { batch } = this.port;
    if (batch === undefined) return undefined;
    this.#takeIn();
    const buffered = this.#buffered();
    if (!this.#mayPass(buffered, data, undefined)) return undefined;
    if (!this.#pass(buffered, data, undefined)) return undefined;
    const outcome = this.#idle ? TAKEN : this.#shareOutcome(batch);
    if (this.#keepsAll) this.#askedFor = this.#handed;
    this.#markWhereDue();
    return outcome;
  }

  #shareOutcome(batch: number): Promise<SendOutcome> {
    let shared = this.#shared;
    // The first message of a socket that can't be batched is what shows it.
    if (shared?.batch === batch && this.port.batch === batch) shared.sequence = this.#handed;
    else shared = this.#share(batch);
    return shared.outcome;
  }

  #share(batch: number): SharedWaiter {
    let settle!: Settle;
    const outcome = new Promise<SendOutcome>((resolve) => (settle = resolve));
    const shared = { sequence: this.#handed, settle, batch, outcome };
    this.#awaitWritten(shared);
    return (this.#shared = shared);
  }

  /** As `acceptInBatch`, of one message for many; false: `accept` has to do it. */
  acceptShared(message: SharedMessage, tally: BroadcastTally): boolean {
    this.#takeIn();
    const idle = this.#idle;
    const buffered = this.#buffered();
    if (this.#keepsAll || !this.#mayPass(buffered, message.data, undefined)) return false;
    const handover = this.#shareOver(message);
    if (!handover) return false;
    this.#accepted++;
    this.#unmarkedBytes += message.data.length;
    this.#count(handover);
    if (this.#idle) {
      tally.add(WRITTEN);
    } else {
      this.#charge(buffered + message.data.length);
      const { batch } = this.port;
      if (!this.#broadcasts?.takes(batch)) this.#broadcasts = undefined;
      this.#awaitRun(tally.behind(this.#broadcasts?.run), batch);
    }
    this.#markWhereDue();
    if (idle) this.#openLane(message.data.length);
    return true;
  }

  #shareOver(message: SharedMessage): Handover | undefined {
    try {
      return this.port.sendShared?.(message, this.#onWritten);
    } catch {
      return undefined;
    }
  }

  /** By which more may follow it, as nothing of ours was on its way to the reader before. */
  #openLane(bytes: number): void {
    const { sharedSink, batch } = this.port;
    const run = this.#broadcasts?.run;
    if (!sharedSink || batch === undefined || (!run && !this.#idle)) return;
    const room = Math.min(LANE_ROOM, this.policy.highWaterMark - bytes);
    (this.#lane ??= new SharedLane(this.budget)).open(sharedSink, run, room);
  }

  /** What more broadcasts may go by; kept by who asks, as it stays the same. */
  get lane(): SharedLane | undefined {
    return this.#lane;
  }

  /** What came by the lane is counted before anything else is done. */
  #takeIn(): void {
    const lane = this.#lane;
    if (!lane) return;
    if (lane.messages === 0) {
      lane.close();
      return;
    }
    this.#accepted += lane.messages;
    this.#handed += lane.messages;
    this.#confirmed += lane.taken;
    this.#unmarkedBytes += lane.bytes;
    this.#charged += lane.pendingBytes;
    const run = lane.takeIn();
    if (run) this.#awaitRun(run, this.port.batch);
  }

  #awaitRun(run: TallyRun, batch: number | undefined): void {
    if (this.#broadcasts) {
      this.#broadcasts.extend(this.#handed, run);
    } else {
      this.#broadcasts = new BroadcastWaiter(this.#handed, batch, run);
      this.#awaitWritten(this.#broadcasts);
    }
  }

  #awaitWritten(waiter: Waiter): void {
    // Most have one, and [] would make room for 17.
    if (this.#writtenWaiters) this.#writtenWaiters.push(waiter);
    else this.#writtenWaiters = [waiter];
  }

  /** What comes now is reported, or read, apart from what came before. */
  #part(): void {
    this.#takeIn();
    this.#shared = undefined;
    this.#broadcasts = undefined;
  }

  /**
   * Settles once everything sent so far was read by the peer's stack, or was given up: also what
   * waits, of which its sender may not know that it is not accepted yet.
   */
  whenAcknowledged(settle?: Settle): void {
    this.#takeIn();
    const last = this.#waiting?.last ?? this.#queue?.last;
    if (last) {
      if (settle) (last.barriers ??= []).push(settle);
      return;
    }
    this.#awaitAcknowledgement(settle);
    this.#ask();
  }

  /**
   * Calls back with `true` once there is room below the low-water mark, at once where nothing
   * waits; with `false` where nothing is accepted any more.
   */
  whenRoom(callback: (room: boolean) => void): void {
    this.#takeIn();
    if (this.#settled) callback(false);
    else if (this.hasRoom) callback(true);
    else (this.#roomWaiters ??= []).push(callback);
  }

  get hasRoom(): boolean {
    this.#takeIn();
    return (
      !this.#queue?.first &&
      !this.#waiting?.first &&
      this.#mayHandOver(this.#buffered()) &&
      (this.#unacknowledged?.bytes ?? 0) < this.policy.maxBuffered
    );
  }

  /**
   * Closing has begun, and all that was sent before its end is to be written: those who wait are
   * accepted, as they fit into the limit, and nobody waits any more.
   */
  endPatience(): void {
    this.#takeIn();
    this.#patient = false;
    for (let next = this.#waiting?.shift(); next; next = this.#waiting!.shift()) {
      this.#enqueueWaiting(next);
    }
    this.#pump();
    this.#recharge();
  }

  /** Nothing is accepted any more: those who wait are told. */
  refuseWaiting(cause: RefusalCause): void {
    this.#takeIn();
    this.#waiting?.refuseAll(cause);
    this.#recharge();
    this.#tellRoom(false);
  }

  /** Writes the ping that goes directly before the close frame; returns its number. */
  markClose(): number {
    const marks = (this.#marks ??= new ReadMarks());
    this.#part();
    this.port.ping(marks.place(this.#handed), true);
    return marks.latest;
  }

  /** Sends a ping, unless one is in flight; returns its number, `undefined` where one was. */
  ping(): number | undefined {
    this.#takeIn();
    if (this.#marks?.pending) return undefined;
    this.#mark();
    return this.#marks!.latest;
  }

  /** Takes a pong; returns the number of the ping it answers, `undefined` where not ours. */
  onPong(payload: Buffer): number | undefined {
    this.#takeIn();
    const mark = this.#marks?.read(payload);
    if (!mark) return undefined;
    this.#acknowledge(mark.covers);
    this.#ask();
    return mark.id;
  }

  acknowledgeAll(): void {
    this.#takeIn();
    this.#acknowledge(this.#handed);
  }

  /** Gives every open send its outcome; the connection has ended. */
  settle(cause: LossCause): void {
    this.#part();
    this.#settleWritten();
    this.#settled = true;
    const queued = [...(this.#queue ?? [])];
    this.#queue = undefined;
    const waiters = [...(this.#writtenWaiters ?? []), ...(this.#acknowledgedWaiters ?? [])];
    this.#writtenWaiters = undefined;
    this.#acknowledgedWaiters = undefined;
    this.#marks = undefined;
    this.#charge(0);
    for (const waiter of waiters) waiter.settle({ status: 'lost', cause, sent: 'maybe' });
    for (const { settle, barriers = [] } of queued) {
      settle?.({ status: 'lost', cause, sent: 'no' });
      for (const barrier of barriers) barrier({ status: 'lost', cause, sent: 'no' });
    }
    this.#tellRoom(false);
  }

  /** Takes out what is to be handed back to the app, before `settle`. */
  takeUnacknowledged(): UnacknowledgedMessage[] {
    this.#takeIn();
    const left = this.#unacknowledged?.left() ?? [];
    for (const { data, request } of this.#queue ?? []) {
      if (!this.#keeps(request)) continue;
      left.push({ data, binary: isBinary(data, request?.binary), sent: 'no' });
    }
    return left;
  }

  // Room.

  /**
   * Below the high-water mark, or where none of ours is on its way: the callback of one that is
   * calls for the next, and a buffer full of pongs would call for nothing. Where all connections
   * together hold too much, those whose readers lag behind get no more.
   */
  #mayHandOver(buffered: number): boolean {
    if (this.#idle) return true;
    if (buffered >= this.policy.highWaterMark) return false;
    return !this.budget.exhausted || !this.port.blocked;
  }

  /** What is kept until it is acknowledged counts as held until then; one message may always go. */
  #fitsUnacknowledged(data: MessageData, request: SendRequest | undefined): boolean {
    const kept = this.#unacknowledged?.bytes;
    if (!kept || !this.#keeps(request)) return true;
    return kept + byteLengthOf(data) <= this.policy.maxBuffered;
  }

  #keeps(request: SendRequest | undefined): boolean {
    return this.#keepsAll || request?.acknowledge === true;
  }

  #admit(message: Queued, patient: boolean): Acceptance {
    const queue = (this.#queue ??= new SendQueue());
    const dropped: Queued[] = [];
    const outcomes: SendOutcome[] = [];
    const drop = (victim: Queued, outcome: SendOutcome): void => {
      this.#remove(victim);
      this.#recharge();
      this.dropped++;
      dropped.push(victim);
      outcomes.push(outcome);
    };
    this.#recharge();
    const key = message.request?.conflate;
    const older = key === undefined ? undefined : queue.conflated(key);
    let admission = this.#admission(message, patient, older?.bytes);
    // One that waits is not sent in the place of the older one, which then waits beside it.
    if (older && admission === 'wait') admission = this.#admission(message, patient);
    let acceptance: Acceptance;
    if (admission === 'queue' || admission === 'drop-oldest') {
      if (older) drop(older, CONFLATED);
      while (this.#admission(message, patient) === 'drop-oldest') drop(queue.first!, OVERFLOWN);
      this.#enqueue(message);
      acceptance = 'accepted';
    } else if (admission === 'wait') {
      this.#wait(message);
      acceptance = 'waiting';
    } else {
      acceptance = admission === 'close' ? 'slow-consumer' : 'overflow';
    }
    this.#recharge();
    if (outcomes.includes(OVERFLOWN)) this.listener.onDropped();
    // Those who are told may send, and find this message in its place.
    for (const [index, { settle }] of dropped.entries()) settle?.(outcomes[index]!);
    return acceptance;
  }

  /** @param freed - bytes of the queue that it takes the place of */
  #admission({ bytes }: Queued, patient: boolean, freed = 0): Admission {
    const handed = this.#heldByPort();
    const queued = this.#queue!.bytes;
    const waiting = this.#waiting?.bytes ?? 0;
    const { maxBuffered, overflow } = this.policy;
    const limit = this.budget.limitOf(handed + queued + waiting, maxBuffered);
    const state = { handed, queued: queued - freed, waiting, limit };
    return admissionOf(overflow, bytes, state, patient);
  }

  #heldByPort(): number {
    return Math.max(this.port.bufferedAmount, this.#unacknowledged?.bytes ?? 0);
  }

  #enqueue(message: Queued): void {
    this.#accepted++;
    this.#queue!.push(message);
  }

  #enqueueWaiting(message: Queued): void {
    this.#queue ??= new SendQueue();
    this.#enqueue(message);
  }

  /** Those who wait for all before one that was given up wait for what is left of it. */
  #remove(victim: Queued): void {
    this.#passOn(victim, this.#queue!.remove(victim));
  }

  #passOn({ barriers = [] }: Queued, before: Queued | undefined): void {
    for (const barrier of barriers) {
      if (before) (before.barriers ??= []).push(barrier);
      else this.#awaitAcknowledgement(barrier);
    }
  }

  #wait(message: Queued): void {
    this.#waiting ??= new WaitingSends((refused, before, cause) => {
      this.refused++;
      this.#passOn(refused, before ?? this.#queue?.last);
      if (cause === 'aborted') this.#ask();
      this.#recharge();
      this.listener.onRefused(cause);
      refused.settle?.({ status: 'refused', cause });
    });
    this.#waiting.add(message);
  }

  /** What the kernel or the peer has taken makes room: for those who wait, and for who produces. */
  #makeRoom(): void {
    if (!this.#waiting?.first && !this.#roomWaiters) return;
    const { highWaterMark, maxBuffered } = this.policy;
    const queued = this.#queue?.bytes ?? 0;
    const idle = this.#idle && queued === 0;
    const low = idle || this.port.bufferedAmount + queued <= highWaterMark * LOW_WATER_SHARE;
    const kept = this.#unacknowledged?.bytes ?? 0;
    if (!low || kept > maxBuffered * LOW_WATER_SHARE) return;
    // The first, whatever its size, as it would else wait for ever.
    for (let first = this.#waiting?.first; first; first = this.#waiting!.first) {
      this.#waiting!.shift();
      this.#enqueueWaiting(first);
      if (!this.#fitsBehind(this.#waiting!.first)) break;
    }
    this.#pump();
    if (this.hasRoom) this.#tellRoom(true);
  }

  #fitsBehind(next: Queued | undefined): boolean {
    if (!next) return false;
    const held = this.#heldByPort() + this.#queue!.bytes + next.bytes;
    return held <= this.policy.maxBuffered * LOW_WATER_SHARE;
  }

  #tellRoom(room: boolean): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = undefined;
    for (const callback of waiters ?? []) callback(room);
  }

  #charge(bytes: number): void {
    this.budget.used += bytes - this.#charged;
    this.#charged = bytes;
  }

  /** Bytes of ours on their way; what else the socket holds, such as pongs, is none. */
  #buffered(): number {
    return this.#idle ? 0 : this.port.bufferedAmount;
  }

  #recharge(): void {
    let held = this.#buffered();
    if (this.#unacknowledged) held = Math.max(held, this.#unacknowledged.bytes);
    if (this.#queue) held += this.queuedBytes;
    this.#charge(held);
  }

  // On the way.

  /** Nothing has to be looked at before it is handed over. */
  #mayPass(buffered: number, data: MessageData, request: SendRequest | undefined): boolean {
    return (
      this.#queue?.first === undefined &&
      this.#waiting?.first === undefined &&
      this.#mayHandOver(buffered) &&
      (this.#unacknowledged === undefined || this.#fitsUnacknowledged(data, request))
    );
  }

  #pass(buffered: number, data: MessageData, request: SendRequest | undefined): boolean {
    const before = this.#unmarkedBytes;
    if (!this.#handOver(data, request)) return false;
    this.#accepted++;
    if (!this.#idle) this.#charge(buffered + this.#unmarkedBytes - before);
    else if (this.#unacknowledged) this.#recharge();
    return true;
  }

  #markWhereDue(): void {
    if (this.#unmarkedBytes >= MARK_EVERY) this.#markProgress();
    if (this.#askedFor > this.#acknowledged) this.#ask();
  }

  /** Of what was just handed over. */
  #await(request: SendRequest | undefined, settle: Settle | undefined): void {
    if (settle) {
      const waiter = { sequence: this.#handed, settle };
      if (request?.acknowledge) (this.#acknowledgedWaiters ??= []).push(waiter);
      else this.#awaitWritten(waiter);
      if (this.#idle) this.#settleSoon();
    }
    if (this.#keeps(request)) this.#askedFor = this.#handed;
  }

  /** As in ws, nobody is told before what was called has returned. */
  #settleSoon(): void {
    queueMicrotask(() => this.#settleWritten());
  }

  /** Of all that was handed over. */
  #awaitAcknowledgement(settle?: Settle): void {
    if (this.#acknowledged >= this.#handed) return settle?.(ACKNOWLEDGED);
    if (settle) (this.#acknowledgedWaiters ??= []).push({ sequence: this.#handed, settle });
    this.#askedFor = this.#handed;
  }

  #handOver(data: MessageData, request: SendRequest | undefined): boolean {
    let bytes: number;
    let handover: Handover;
    try {
      bytes = typeof data === 'string' ? data.length : byteLengthOf(data);
      handover = this.port.send(data, request, this.#onWritten);
    } catch {
      return false;
    }
    this.#count(handover);
    this.#unmarkedBytes += bytes;
    if (this.#keeps(request)) {
      (this.#unacknowledged ??= new Unacknowledged()).add({
        sequence: this.#handed,
        data,
        binary: isBinary(data, request?.binary),
        bytes,
      });
    }
    return true;
  }

  #count(handover: Handover): void {
    this.#handed++;
    if (handover === 'pending') return;
    // Who watches, or waits behind it, is told once it is accepted, as of any other.
    if (this.watched || this.#queue?.first) queueMicrotask(this.#onWritten);
    else this.#confirmed++;
  }

  /** The kernel has taken all that was handed over. */
  get #idle(): boolean {
    return this.#handed === this.#confirmed;
  }

  /** A write that failed belongs to a connection that is ending, and `settle` tells of it. */
  readonly #onWritten = (error?: Error | null, messages = 1): void => {
    if (error || this.#settled) return;
    this.#part();
    this.#confirmed += messages;
    this.#settleWritten();
    if (this.#queue?.first) this.#pump();
    if (this.#idle || this.#charged > this.policy.highWaterMark) this.#recharge();
    if (this.#roomWaiters || this.#waiting) this.#makeRoom();
    if (!this.watched) return;
    this.listener.onProgress();
    if (!this.unwritten) this.listener.onFlushed();
  };

  #pump(): void {
    const queue = this.#queue;
    for (let next = queue?.first; next; next = queue!.first) {
      const { data, request, settle, barriers } = next;
      const may = this.port.writable && this.#mayHandOver(this.port.bufferedAmount);
      if (!may || !this.#fitsUnacknowledged(data, request)) break;
      if (!this.#handOver(data, request)) {
        // It was accepted, so only the end of the connection gives it a true outcome. What can
        // wait can be sent, but for a Blob by a ws that knows none.
        this.port.destroy();
        return;
      }
      queue!.remove(next);
      this.#await(request, settle);
      for (const barrier of barriers ?? []) this.#awaitAcknowledgement(barrier);
      if (this.#unmarkedBytes >= MARK_EVERY_WHEN_BEHIND) this.#markProgress();
    }
    this.#ask();
  }

  /** Pings for those who wait for an acknowledgement: one ping in flight serves all of them. */
  #ask(): void {
    if (this.#askedFor <= this.#acknowledged || this.#marks?.pending) return;
    this.#mark();
  }

  #markProgress(): void {
    if ((this.#marks?.pending ?? 0) < MAX_MARKS) this.#mark();
  }

  #mark(): void {
    this.#unmarkedBytes = 0;
    this.#part();
    this.port.ping((this.#marks ??= new ReadMarks()).place(this.#handed));
  }

  #acknowledge(covered: number): void {
    if (covered <= this.#acknowledged) return;
    this.#acknowledged = covered;
    this.#unacknowledged?.release(covered);
    this.#settleWritten();
    this.#settleWaiters(this.#acknowledgedWaiters, covered, ACKNOWLEDGED);
    if (!this.#unacknowledged || this.#settled) return;
    this.#pump();
    this.#recharge();
    this.#makeRoom();
  }

  /** All of them, more often than not, which needs no second list. */
  #settleWritten(): void {
    const waiters = this.#writtenWaiters;
    if (!waiters) return;
    const { written } = this;
    if (waiters.at(-1)!.sequence > written) return this.#settleWaiters(waiters, written, WRITTEN);
    this.#writtenWaiters = undefined;
    for (const waiter of waiters) waiter.settle(WRITTEN);
  }

  #settleWaiters(waiters: Waiter[] | undefined, reached: number, outcome: SendOutcome): void {
    if (waiters === undefined || waiters.length === 0 || waiters[0]!.sequence > reached) return;
    let count = 1;
    while (count < waiters.length && waiters[count]!.sequence <= reached) count++;
    for (const waiter of waiters.splice(0, count)) waiter.settle(outcome);
  }
}
