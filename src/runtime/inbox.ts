import type { Clock, Timer } from './clock.js';
import { Fifo } from './fifo.js';
import { InboundBudget } from './inbound-budget.js';
import { MessageRate } from './message-rate.js';
import type { ReceivedData, SocketPort } from './socket.port.js';

/** Takes the messages that may start handlers. */
export interface Dispatcher {
  dispatch(data: ReceivedData, isBinary: boolean): void;
}

interface Held {
  readonly bytes: number;
  /** A message that nobody has seen, rather than somebody who waits to be called back. */
  readonly unseen: boolean;
  readonly deliver: () => void;
}

/** What the peer has sent and no handler has seen yet, in order, and what it waits for (G7, G11). */
export class Inbox {
  readonly #port: SocketPort;
  readonly #clock: Clock;
  readonly #rate: MessageRate | undefined;
  #budget: InboundBudget | undefined;
  #held: Fifo<Held> | undefined;
  #releasing = false;
  #timer: Timer | undefined;

  /** @param messagesPerSecond - `undefined`: as many as come */
  constructor(port: SocketPort, clock: Clock, messagesPerSecond?: number) {
    this.#port = port;
    this.#clock = clock;
    if (messagesPerSecond !== undefined) this.#rate = new MessageRate(clock, messagesPerSecond);
  }

  /** What all that waits on this connection has to fit into. */
  get budget(): InboundBudget {
    return (this.#budget ??= new InboundBudget(this.#port, this.#clock));
  }

  /** Whether a message that comes now may pass, once the connection is ready. */
  mayPass(): boolean {
    return this.#held === undefined && (this.#rate === undefined || this.#rate.take());
  }

  /**
   * Keeps a message, of so many bytes, until `release` or `discard`.
   *
   * @param limit - of bytes that wait
   * @returns whether it is the first that waits
   */
  keep(deliver: () => void, bytes: number, limit: number): boolean {
    return this.#hold({ bytes, unseen: true, deliver }, limit);
  }

  /** Calls back in the turn of a message of so many bytes, or at `discard`. */
  callBack(callback: () => void, bytes: number, limit: number): boolean {
    return this.#hold({ bytes, unseen: false, deliver: callback }, limit);
  }

  /**
   * Delivers what was kept, as fast as the rate allows, and as long as `live`.
   *
   * @param most - messages at once; the next so many follow once the microtasks have run
   */
  release(live: () => boolean, most = Number.POSITIVE_INFINITY): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#releasing) return;
    this.#releasing = true;
    let left = most;
    while (this.#held && live()) {
      const { first } = this.#held;
      if (!first) {
        this.#held = undefined;
        break;
      }
      if (left-- === 0) {
        this.#clock.afterMicrotasks(() => this.release(live, most));
        break;
      }
      if (this.#rate && !this.#rate.take()) {
        this.#timer = this.#clock.setTimer(this.#rate.wait, () => this.release(live));
        break;
      }
      this.#held.shift();
      first.deliver();
      this.budget.give(first.bytes);
    }
    this.#releasing = false;
  }

  /** Gives up what was kept, and reads on; returns how many unseen messages that were. */
  discard(): number {
    const held = this.#held?.clear() ?? [];
    this.#held = undefined;
    this.#timer?.cancel();
    this.#budget?.end();
    for (const { unseen, deliver } of held) if (!unseen) deliver();
    return held.filter(({ unseen }) => unseen).length;
  }

  #hold(held: Held, limit: number): boolean {
    const first = this.#held === undefined;
    (this.#held ??= new Fifo()).push(held);
    this.budget.take(held.bytes, limit);
    return first;
  }
}
