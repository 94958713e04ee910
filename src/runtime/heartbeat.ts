import type { Clock, Timer } from './clock.js';
import type { HeartbeatPolicy } from './connection.policy.js';
import { Visits } from './visits.js';

/** What the heartbeat needs of a connection. */
export interface Pulse {
  /** Its number in the sweep, as long as it is pinged. */
  visit: number | undefined;
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

/** How finely a sweep divides the shorter of interval and timeout. */
const TICKS = 100;
/**
 * Connections that are visited before the event loop is left to others: a ping takes a system call,
 * and a peer that is given up some ten microseconds, so that a slice stays far under 10 ms also
 * where all of 50,000 fall silent at once (bench/heartbeat).
 */
const SLICE = 256;
/** Timers of Node are no finer than this. */
const MIN_TICK_MS = 1;
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
  readonly #interval: number;
  readonly #timeout: number;
  readonly #tick: number;
  readonly #blocked: number;
  readonly #visits: Visits<Pulse>;
  /** The tick whose slot is visited, or was last. */
  #now = 0;
  /** When the next tick begins. */
  #dueAt = 0;
  #timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
    readonly policy: HeartbeatPolicy,
  ) {
    const { interval, timeout } = policy;
    this.#tick = Math.max(MIN_TICK_MS, Math.min(interval, timeout) / TICKS);
    // Down and up, so that together they don't exceed what was asked for, nor fall short of it.
    this.#interval = Math.max(1, Math.floor(interval / this.#tick) - 1);
    this.#timeout = Math.max(1, Math.ceil(timeout / this.#tick));
    this.#blocked = Math.max(this.#tick, timeout * BLOCKED_SHARE);
    this.#visits = new Visits(Math.max(this.#interval, this.#timeout) + 1);
  }

  /** Connections that it pings. */
  get size(): number {
    return this.#visits.size;
  }

  add(pulse: Pulse): void {
    if (pulse.visit !== undefined) return;
    const visit = this.#visits.add(pulse);
    pulse.visit = visit;
    this.#visitIn(visit, 1 + Math.floor(this.random() * this.#interval));
    if (!this.#timer) {
      this.#dueAt = this.clock.monotonic() + this.#tick;
      this.#arm();
    }
  }

  remove(pulse: Pulse): void {
    if (pulse.visit === undefined) return;
    this.#visits.delete(pulse.visit);
    pulse.visit = undefined;
    if (this.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(at = this.#dueAt): void {
    const wait = Math.max(0, at - this.clock.monotonic());
    this.#timer = this.clock.setTimer(wait, () => this.#fired());
  }

  #fired(): void {
    this.#timer = undefined;
    const now = this.clock.monotonic();
    let done = true;
    // Where it was blocked, what came meanwhile is read first.
    if (now - this.#dueAt > this.#blocked) this.#dueAt = now + this.#tick;
    else done = this.#advance(now);
    if (this.size > 0 && !this.#timer) this.#arm(done ? this.#dueAt : now);
  }

  /** Visits those of all ticks that are due; false: as many as go into one slice, and more are. */
  #advance(now: number): boolean {
    for (let left = SLICE; left > 0; left--) {
      // Nobody is put into the slot that is being visited, as it comes again only after all others.
      const visit = this.#visits.take(this.#now);
      if (visit !== undefined) {
        this.#visit(visit);
      } else if (this.#dueAt <= now) {
        this.#now++;
        this.#dueAt += this.#tick;
      } else {
        return true;
      }
    }
    return false;
  }

  #visit(visit: number): void {
    const visits = this.#visits;
    const pulse = visits.get(visit);
    if (!pulse.live) return;
    let since = visits.unansweredSince(visit);
    if (since !== undefined && this.#shownLife(visit, pulse)) {
      visits.answered(visit);
      since = undefined;
    }
    if (since !== undefined && this.#now - since >= this.#timeout) {
      this.remove(pulse);
      pulse.onSilence();
      return;
    }
    if (pulse.listening && this.#now - visits.pingedAt(visit) >= this.#interval) {
      since = this.#ping(visit, pulse, since);
      // It may have closed.
      if (pulse.visit !== visit) return;
    }
    const nextPing = pulse.listening
      ? Math.max(1, visits.pingedAt(visit) + this.#interval - this.#now)
      : Math.ceil(this.#interval * DEAF_SHARE);
    const expiry = since === undefined ? this.#interval : since + this.#timeout - this.#now;
    this.#visitIn(visit, Math.min(nextPing, expiry, this.#interval));
  }

  #shownLife(visit: number, pulse: Pulse): boolean {
    if (!pulse.listening || pulse.lastSeenAt !== this.#visits.seenAt(visit)) return true;
    const mark = this.#visits.mark(visit);
    return mark !== undefined && pulse.progressMark() !== mark;
  }

  #ping(visit: number, pulse: Pulse, since: number | undefined): number {
    const visits = this.#visits;
    visits.pinged(visit, this.#now);
    if (since === undefined) {
      // Only where bytes wait for the peer: else the kernel takes them, whether it lives or not.
      const mark = pulse.bufferedAmount > 0 ? pulse.progressMark() : undefined;
      visits.await(visit, this.#now, pulse.lastSeenAt, mark);
    }
    pulse.beat();
    return since ?? this.#now;
  }

  #visitIn(visit: number, ticks: number): void {
    this.#visits.schedule(visit, this.#now + ticks);
  }
}

/** The heartbeats of all connections: one sweep for each policy. */
export class Heartbeat {
  readonly #sweeps: Sweep[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** Pings it from now on, until `remove`. */
  add(pulse: Pulse, policy: HeartbeatPolicy): void {
    let sweep = this.#sweepOf(policy);
    if (!sweep) {
      sweep = new Sweep(this.clock, this.random, policy);
      this.#sweeps.push(sweep);
    }
    sweep.add(pulse);
  }

  /** @param policy - that it was added with */
  remove(pulse: Pulse, policy: HeartbeatPolicy): void {
    this.#sweepOf(policy)?.remove(pulse);
  }

  /** How many connections are pinged. */
  get size(): number {
    return this.#sweeps.reduce((size, sweep) => size + sweep.size, 0);
  }

  #sweepOf({ interval, timeout }: HeartbeatPolicy): Sweep | undefined {
    return this.#sweeps.find(
      ({ policy }) => policy.interval === interval && policy.timeout === timeout,
    );
  }
}
