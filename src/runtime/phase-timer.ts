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
  /** All phases together have. */
  onCap(): void;
}

const NEVER = Number.POSITIVE_INFINITY;

function isWatched(name: TimerName | undefined): boolean {
  return name === 'flush' || name === 'handshake';
}

/**
 * The timer that bounds a phase, and the phases of a close together. It counts from the last
 * progress of the reader. One timer of the clock serves all phases: it is armed anew only for what
 * is due earlier, and where it finds nothing due it sleeps on, so that neither progress nor a new
 * phase costs more than a look at the clock.
 */
export class PhaseTimer {
  #name: TimerName | undefined;
  #capAt = NEVER;
  #timer: Timer | undefined;
  #firesAt = 0;
  #progressAt = 0;
  #checkedAt = 0;
  /** At the last look. The first one of a phase finds no progress later than its start, whatever came before. */
  #mark = 0;

  constructor(
    private readonly clock: Clock,
    private readonly host: PhaseTimerHost,
  ) {}

  /**
   * Enters a phase.
   *
   * @param name - what bounds it; `undefined`: only the cap does
   * @param cap - milliseconds in which it and all capped phases directly before it must have ended
   */
  start(name: TimerName | undefined, cap = NEVER): void {
    const now = this.clock.monotonic();
    this.#name = name;
    this.#capAt = cap === NEVER ? NEVER : Math.min(this.#capAt, now + cap);
    this.#progressAt = now;
    this.#checkedAt = now;
    this.arm(now);
  }

  stop(): void {
    this.#name = undefined;
    this.#capAt = NEVER;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  progressed(): void {
    this.#progressAt = this.clock.monotonic();
    this.#checkedAt = this.#progressAt;
  }

  /** Capped phases must have ended by then, if they have not to before. */
  cap(at: number): void {
    if (this.#capAt === NEVER) return;
    this.#capAt = Math.min(this.#capAt, at);
    this.arm();
  }

  /** Takes a timeout that has changed into account. */
  arm(now = this.clock.monotonic()): void {
    const at = Math.min(this.#capAt, this.#nextLook());
    if (at === NEVER || (this.#timer && this.#firesAt <= at)) return;
    this.#timer?.cancel();
    const wait = Math.max(0, at - now);
    this.#firesAt = now + wait;
    this.#timer = this.clock.setTimer(wait, () => this.#fired());
  }

  #nextLook(): number {
    const name = this.#name;
    // A phase that only the cap bounds is over at once, and a watched one follows.
    if (!name) return this.#capAt === NEVER ? NEVER : this.#lookAfter('flush');
    const expiry = this.#progressAt + this.host.timeoutOf(name);
    return isWatched(name) ? Math.min(expiry, this.#lookAfter(name)) : expiry;
  }

  /** From the last look, so that who closes often does not put off the next one. */
  #lookAfter(name: TimerName): number {
    return this.#checkedAt + this.host.timeoutOf(name) / PROGRESS_CHECKS;
  }

  #fired(): void {
    this.#timer = undefined;
    const now = this.clock.monotonic();
    if (now >= this.#capAt) {
      this.host.onCap();
      return;
    }
    const name = this.#name;
    if (isWatched(name)) this.#look(name!, now);
    this.#checkedAt = now;
    if (name && now - this.#progressAt >= this.host.timeoutOf(name)) this.host.onTimer(name);
    else this.arm(now);
  }

  #look(name: TimerName, now: number): void {
    const mark = this.host.progressMark();
    // The event loop was blocked: what the reader did meanwhile has not been seen yet.
    const blocked = now - this.#firesAt > this.host.timeoutOf(name) / PROGRESS_CHECKS;
    if (blocked) this.#progressAt += now - this.#checkedAt;
    // Progress since the last look counts from that look, so that no budget is exceeded.
    if (mark !== this.#mark) this.#progressAt = Math.max(this.#progressAt, this.#checkedAt);
    this.#mark = mark;
  }
}
