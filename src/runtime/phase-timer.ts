import type { TimerName } from '../core/connection.phases.js';
import type { Clock, Timer } from './clock.js';

/** How often within one timeout the kernel is asked whether it took part of a large message. */
const PROGRESS_CHECKS = 5;

/** What the timer needs of its connection. */
export interface PhaseTimerHost {
  /** In milliseconds. */
  timeoutOf(name: TimerName): number;
  /** A number that changes whenever the kernel takes bytes. */
  progressMark(): number;
  /** The phase has taken too long. */
  onTimer(name: TimerName): void;
}

/**
 * The timer that bounds a phase. It counts from the last progress of the reader, and costs that
 * progress no more than a look at the clock: the timer itself is armed anew only when it fires.
 */
export class PhaseTimer {
  #name: TimerName | undefined;
  #timer: Timer | undefined;
  #progressAt = 0;
  #checkedAt = 0;
  #dueAt = 0;
  #mark = 0;

  constructor(
    private readonly clock: Clock,
    private readonly host: PhaseTimerHost,
  ) {}

  /** Enters a phase. */
  start(name: TimerName): void {
    this.#name = name;
    this.progressed();
    this.#mark = this.host.progressMark();
    this.arm();
  }

  stop(): void {
    this.#name = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  progressed(): void {
    this.#progressAt = this.clock.monotonic();
    this.#checkedAt = this.#progressAt;
  }

  /** Takes a timeout that has changed into account. */
  arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const name = this.#name;
    if (!name) return;
    const timeout = this.host.timeoutOf(name);
    const expiry = this.#progressAt + timeout;
    const watched = name === 'flush' || name === 'handshake';
    // From the last look, so that who closes often does not put off the next one.
    const at = watched ? Math.min(expiry, this.#checkedAt + timeout / PROGRESS_CHECKS) : expiry;
    const now = this.clock.monotonic();
    const wait = Math.max(0, at - now);
    this.#dueAt = now + wait;
    this.#timer = this.clock.setTimer(wait, () => this.#fired(name, watched));
  }

  #fired(name: TimerName, watched: boolean): void {
    const now = this.clock.monotonic();
    const mark = this.host.progressMark();
    // The event loop was blocked: what the reader did meanwhile has not been seen yet.
    const blocked = watched && now - this.#dueAt > this.host.timeoutOf(name) / PROGRESS_CHECKS;
    if (blocked) this.#progressAt += now - this.#checkedAt;
    // Progress since the last look counts from that look, so that no budget is exceeded.
    if (mark !== this.#mark) this.#progressAt = Math.max(this.#progressAt, this.#checkedAt);
    this.#mark = mark;
    this.#checkedAt = now;
    if (now - this.#progressAt < this.host.timeoutOf(name)) this.arm();
    else this.host.onTimer(name);
  }
}
