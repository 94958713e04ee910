import type { Clock, Timer } from './clock.js';
import type { ReceivedData, SocketPort } from './socket.port.js';

interface EarlyMessage {
  readonly data: ReceivedData;
  readonly isBinary: boolean;
  readonly bytes: number;
}

/** How often a paused socket is read on for a moment, to find a peer that left. */
const PROBE_INTERVAL_MS = 1_000;

function byteLengthOf(data: ReceivedData): number {
  if (data instanceof Blob) return data.size;
  return Array.isArray(data)
    ? data.reduce((bytes, part) => bytes + part.byteLength, 0)
    : data.byteLength;
}

/**
 * Messages that came before the connection was ready, in order (G7). Past the byte budget the
 * socket is paused, so that TCP pushes back and none is lost; as a paused socket shows neither a
 * close frame nor a FIN, it is read on once a second, up to twice the budget.
 */
export class EarlyMessages {
  #messages: EarlyMessage[] = [];
  #bytes = 0;
  #paused = false;
  #probe: Timer | undefined;

  constructor(
    private readonly port: SocketPort,
    private readonly clock: Clock,
    private readonly budget: number,
  ) {}

  get size(): number {
    return this.#messages.length;
  }

  add(data: ReceivedData, isBinary: boolean): void {
    const bytes = byteLengthOf(data);
    this.#messages.push({ data, isBinary, bytes });
    this.#bytes += bytes;
    if (this.#bytes <= this.budget || this.#probe) return;
    this.#paused = true;
    this.port.pause();
    this.#probe = this.clock.setTimer(PROBE_INTERVAL_MS, () => {
      this.#probe = undefined;
      if (this.#bytes < 2 * this.budget) this.port.resume();
    });
  }

  take(): EarlyMessage | undefined {
    return this.#messages.shift();
  }

  /** Forgets what is left, and reads on, unless it was the app that paused. */
  end(): void {
    this.#messages = [];
    this.#probe?.cancel();
    if (this.#paused) this.port.resume();
  }
}
