import type { Clock, Timer } from './clock.js';
import type { HeartbeatPolicy } from './connection.policy.js';

/** What the heartbeat needs of a connection. */
export interface Pulse {
  /** The sweep's own, as long as it is pinged. */
  visit: Visit | undefined;
  /** Changes whenever the peer is heard of. */
  readonly lastSeenAt: number;
  /** Closing has not begun. */
  readonly live: boolean;
  /** Whether a pong would be read now: not while the socket is paused, or not open yet. */
  readonly listening: boolean;
  /** Bytes that the kernel has not taken, as the peer has not. */
  readonly bufferedAmount: number;
  /** Changes whenever the kernel takes bytes. */
  progressMark(): number;
  /** Sends a ping. */
  beat(): void;
  /** It has given no sign of life in time. */
  onSilence(): void;
}

/** What a sweep knows of one connection, which carries it. */
export interface Visit {
  readonly pulse: Pulse;
  readonly sweep: { remove(pulse: Pulse): void };
  slot: number;
  pingedAt: number;
  /** The tick of the first ping since the peer was last heard of; `undefined`: it was. */
  unansweredSince: number | undefined;
  seenAt: number | undefined;
  /** Only where bytes waited for the peer: else the kernel takes them, whether it lives or not. */
  mark: number | undefined;
}

/**
 * How finely a sweep divides the shorter of interval and timeout: fine enough that a tick over
 * 50,000 connections stays under 10 ms, see bench/heartbeat.
 */
const TICKS = 100;
/** Timers of Node are no finer than this. */
const MIN_TICK_MS = 1;
/** Before any tick, and no more than V8 stores in place. */
const NEVER = -(2 ** 30);
/** A socket that does not listen is looked at after this part of the interval. */
const DEAF_SHARE = 0.1;
/** A tick later than this part of the timeout: the process was blocked. */
const BLOCKED_SHARE = 0.25;

/**
 * One sweep over all connections of one policy (G12). A wheel of slots, each visited once a turn,
 * and each connection in the slot of its next visit: one timer for all of them, none where there
 * are none, and each tick a small part of the work.
 *
 * The wheel counts ticks rather than time: while the process is blocked, none passes, so that
 * nothing is held against peers that it could not hear.
 */
class Sweep {
  /** Connections that it pings. */
  size = 0;
  readonly #interval: number;
  readonly #timeout: number;
  readonly #tick: number;
  readonly #blocked: number;
  readonly #slots: Set<Visit>[];
  #now = 0;
  #dueAt = 0;
  #timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
    { interval, timeout }: HeartbeatPolicy,
  ) {
    this.#tick = Math.max(MIN_TICK_MS, Math.min(interval, timeout) / TICKS);
    // Down and up, so that together they don't exceed what was asked for, nor fall short of it.
    this.#interval = Math.max(1, Math.floor(interval / this.#tick) - 1);
    this.#timeout = Math.max(1, Math.ceil(timeout / this.#tick));
    this.#blocked = Math.max(this.#tick, timeout * BLOCKED_SHARE);
    const turn = Math.max(this.#interval, this.#timeout) + 1;
    this.#slots = Array.from({ length: turn }, () => new Set());
  }

  add(pulse: Pulse): void {
    if (pulse.visit) return;
    const entry: Visit = {
      pulse,
      sweep: this,
      slot: 0,
      pingedAt: NEVER,
      unansweredSince: undefined,
      seenAt: undefined,
      mark: undefined,
    };
    pulse.visit = entry;
    this.size++;
    this.#visitIn(entry, 1 + Math.floor(this.random() * this.#interval));
    if (!this.#timer) {
      this.#dueAt = this.clock.monotonic() + this.#tick;
      this.#arm();
    }
  }

  remove(pulse: Pulse): void {
    this.#slots[pulse.visit!.slot]!.delete(pulse.visit!);
    pulse.visit = undefined;
    this.size--;
    if (this.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const wait = Math.max(0, this.#dueAt - this.clock.monotonic());
    this.#timer = this.clock.setTimer(wait, () => this.#fired());
  }

  #fired(): void {
    this.#timer = undefined;
    const now = this.clock.monotonic();
    if (now - this.#dueAt > this.#blocked) {
      // What came meanwhile is read first.
      this.#dueAt = now + this.#tick;
    } else {
      for (; this.#dueAt <= now; this.#dueAt += this.#tick) this.#advance();
    }
    if (this.size > 0 && !this.#timer) this.#arm();
  }

  #advance(): void {
    this.#now++;
    const slot = this.#slots[this.#now % this.#slots.length]!;
    if (slot.size === 0) return;
    const due = [...slot];
    slot.clear();
    for (const entry of due) this.#visit(entry);
  }

  #visit(entry: Visit): void {
    const { pulse } = entry;
    // One that was visited before may have closed this one.
    if (!pulse.live || pulse.visit !== entry) return;
    if (entry.unansweredSince !== undefined && this.#shownLife(entry)) {
      entry.unansweredSince = undefined;
    }
    if (entry.unansweredSince !== undefined && this.#now - entry.unansweredSince >= this.#timeout) {
      this.remove(pulse);
      pulse.onSilence();
      return;
    }
    if (pulse.listening && this.#now - entry.pingedAt >= this.#interval) this.#ping(entry);
    const nextPing = pulse.listening
      ? Math.max(1, entry.pingedAt + this.#interval - this.#now)
      : Math.ceil(this.#interval * DEAF_SHARE);
    const expiry =
      entry.unansweredSince === undefined
        ? this.#interval
        : entry.unansweredSince + this.#timeout - this.#now;
    this.#visitIn(entry, Math.min(nextPing, expiry, this.#interval));
  }

  #shownLife({ pulse, seenAt, mark }: Visit): boolean {
    return (
      !pulse.listening ||
      pulse.lastSeenAt !== seenAt ||
      (mark !== undefined && pulse.progressMark() !== mark)
    );
  }

  #ping(entry: Visit): void {
    const { pulse } = entry;
    entry.pingedAt = this.#now;
    if (entry.unansweredSince === undefined) {
      entry.unansweredSince = this.#now;
      entry.seenAt = pulse.lastSeenAt;
      entry.mark = pulse.bufferedAmount > 0 ? pulse.progressMark() : undefined;
    }
    pulse.beat();
  }

  #visitIn(entry: Visit, ticks: number): void {
    entry.slot = (this.#now + ticks) % this.#slots.length;
    this.#slots[entry.slot]!.add(entry);
  }
}

/** The heartbeats of all connections: one sweep for each policy. */
export class Heartbeat {
  readonly #sweeps = new Map<string, Sweep>();

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** Pings it from now on, until `remove`. */
  add(pulse: Pulse, policy: HeartbeatPolicy): void {
    const key = `${policy.interval}/${policy.timeout}`;
    let sweep = this.#sweeps.get(key);
    if (!sweep) {
      sweep = new Sweep(this.clock, this.random, policy);
      this.#sweeps.set(key, sweep);
    }
    sweep.add(pulse);
  }

  remove(pulse: Pulse): void {
    pulse.visit?.sweep.remove(pulse);
  }

  /** How many connections are pinged. */
  get size(): number {
    let size = 0;
    for (const sweep of this.#sweeps.values()) size += sweep.size;
    return size;
  }
}
