import type { Clock, Timer } from './clock.js';
import type { SocketPort } from './socket.port.js';

/** How often a paused socket is looked after, to find a peer that left. */
const PROBE_INTERVAL_MS = 1_000;

/** The part of the limit below which a socket that was paused is read on. */
const RESUME_SHARE = 0.5;

/** Past the limit a socket is read on for a moment only as long as so many times it waits. */
const PROBE_SHARE = 2;

/**
 * Bytes of messages that wait on one connection (G11). Past the limit the socket is paused, so
 * that TCP pushes back and none is lost. A paused socket shows neither a close frame nor a FIN:
 * once a second it is read on for a moment, up to twice the limit, and probed, as a peer that is
 * gone answers that with a reset.
 */
export class InboundBudget {
  #bytes = 0;
  #limit = 0;
  #paused = false;
  #probe: Timer | undefined;

  constructor(
    private readonly port: SocketPort,
    private readonly clock: Clock,
  ) {}

  /** @returns whether the socket has been paused for it */
  take(bytes: number, limit: number): boolean {
    this.#bytes += bytes;
    this.#limit = limit;
    if (this.#bytes <= limit || this.#probe) return false;
    const began = !this.#paused;
    this.#pause();
    return began;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#paused && this.#bytes <= this.#limit * RESUME_SHARE) this.end();
  }

  /** Reads on, unless it was the app that paused. */
  end(): void {
    this.#probe?.cancel();
    this.#probe = undefined;
    if (!this.#paused) return;
    this.#paused = false;
    this.port.resume();
  }

  #pause(): void {
    this.#paused = true;
    this.port.pause();
    this.#probe = this.clock.setTimer(PROBE_INTERVAL_MS, () => {
      this.#probe = undefined;
      this.port.probe();
      if (this.#bytes < PROBE_SHARE * this.#limit) this.port.resume();
      else this.#pause();
    });
  }
}
