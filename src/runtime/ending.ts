import type { CloseOutcome } from '../core/outcomes.js';
import type { DisconnectHooks } from './disconnect-hooks.js';

/**
 * What is known of the end of one connection; made once somebody asks for it, or closing begins,
 * as most connections are far from it most of the time.
 */
export class Ending {
  /** When closing began, on the monotonic clock. */
  since = 0;
  /** From now on no message starts a handler, as the server drains. */
  dispatchStopped = false;
  /** Handlers that run, or are yet to be asked for a signal, are to stop. */
  aborted = false;
  /** The number of the ping before our close frame. */
  closePing: number | undefined;
  /** What the peer broke the protocol with. */
  protocolError: unknown;
  hooks: DisconnectHooks | undefined;
  #outcome: CloseOutcome | undefined;
  #closed: Promise<CloseOutcome> | undefined;
  #waiting: ((outcome: CloseOutcome) => void)[] | undefined;
  #reported = false;

  get outcome(): CloseOutcome | undefined {
    return this.#outcome;
  }

  /** Settles with the outcome. */
  get closed(): Promise<CloseOutcome> {
    if (this.#outcome) return Promise.resolve(this.#outcome);
    return (this.#closed ??= new Promise((resolve) => this.whenClosed(resolve)));
  }

  /** As `closed`, without a promise: calls back once. */
  whenClosed(callback: (outcome: CloseOutcome) => void): void {
    if (this.#outcome) callback(this.#outcome);
    else if (this.#waiting) this.#waiting.push(callback);
    else this.#waiting = [callback];
  }

  settle(outcome: CloseOutcome): void {
    this.#outcome = outcome;
  }

  /** For those who have asked before there was an outcome. */
  announce(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const callback of waiting ?? []) callback(this.#outcome!);
  }

  /** The outcome, once. */
  takeReport(): CloseOutcome | undefined {
    if (this.#reported || !this.#outcome) return undefined;
    this.#reported = true;
    return this.#outcome;
  }
}
