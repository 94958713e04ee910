import type { TimerName } from '../core/connection.phases.js';
import type { Clock, Timer } from './clock.js';

/** How often within one timeout the kernel is asked whether it took part of a large message. */
const PROGRESS_CHECKS = 5;

/**
 * The timer that bounds a phase. It counts from the last progress of the reader, and costs that
 * progress no more than a look at the clock: the timer itself is armed anew only when it fires.
 */
export class PhaseTimer {
  #name: TimerName | undefined;
  #timer: Timer | undefined;
  #progressAt = 0;
  #checkedAt = 0;
  #mark = 0;

  constructor(
    private readonly clock: Clock,
    private readonly timeoutOf: (name: TimerName) => number,
    /** A number that changes whenever the kernel takes bytes. */
    private readonly progressMark: () => number,
    private readonly expired: (name: TimerName) => void,
  ) {}

  /** Enters a phase; without a name it has no timer. */
  start(name: TimerName | undefined): void {
    this.#name = name;
    this.progressed();
    if (name) this.#mark = this.progressMark();
    this.arm();
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
    const timeout = this.timeoutOf(name);
    const left = this.#progressAt + timeout - this.clock.monotonic();
    const watched = name === 'flush' || name === 'handshake';
    const wait = watched ? Math.min(left, timeout / PROGRESS_CHECKS) : left;
    this.#timer = this.clock.setTimer(Math.max(0, wait), () => this.#fired(name));
  }

  #fired(name: TimerName): void {
    const now = this.clock.monotonic();
    const mark = this.progressMark();
    // Progress since the last look counts from that look, so that no budget is exceeded.
    if (mark !== this.#mark) this.#progressAt = Math.max(this.#progressAt, this.#checkedAt);
    this.#mark = mark;
    this.#checkedAt = now;
    if (now - this.#progressAt < this.timeoutOf(name)) this.arm();
    else this.expired(name);
  }
}
