import type { Clock } from './clock.js';
import { EarlyMessages } from './early-messages.js';
import { Readiness } from './readiness.js';
import type { ReceivedData, SocketPort } from './socket.port.js';

/** Takes a message that may start handlers now. */
export type Dispatcher = (data: ReceivedData, isBinary: boolean) => void;

/** What the peer has sent and no handler has seen yet, and what it waits for (G7). */
export class Inbox {
  readonly readiness = new Readiness();
  /** Who takes the messages that may start handlers; without one, none waits. */
  dispatcher: Dispatcher | undefined;

  #early: EarlyMessages | undefined;
  #callbacks: (() => void)[] | undefined;

  constructor(
    private readonly port: SocketPort,
    private readonly clock: Clock,
    private readonly budget: number,
  ) {}

  /** Keeps a message until `release` or `discard`. */
  keep(data: ReceivedData, isBinary: boolean): void {
    this.#early ??= new EarlyMessages(this.port, this.clock, this.budget);
    this.#early.add(data, isBinary);
  }

  /** Calls back at `release` or `discard`. */
  callBack(callback: () => void): void {
    (this.#callbacks ??= []).push(callback);
  }

  /** Dispatches what was kept, as long as `live`: a handler that starts may close. */
  release(live: () => boolean): void {
    while (this.#early && live()) {
      const message = this.#early.take();
      if (message) this.dispatcher?.(message.data, message.isBinary);
      else this.#endEarly();
    }
    this.#callBackAll();
  }

  /** Gives up what was kept, and reads on; returns how many messages that were. */
  discard(): number {
    const count = this.#early?.size ?? 0;
    this.#endEarly();
    this.#callBackAll();
    return count;
  }

  #endEarly(): void {
    this.#early?.end();
    this.#early = undefined;
  }

  #callBackAll(): void {
    const callbacks = this.#callbacks;
    this.#callbacks = undefined;
    for (const callback of callbacks ?? []) callback();
  }
}
