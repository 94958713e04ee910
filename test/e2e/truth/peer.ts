import type { PeerEnd, WireFacts } from './connection.record.js';
import type { Received } from './messages.js';
import type { Ask, PeerAct } from './schedule.types.js';
import { Latch } from './turns.js';

/** A client, and what its user was given. */
export abstract class Peer {
  readonly received: Received[] = [];
  /** Its handshake has ended, well or not. */
  readonly opened = new Latch();
  /** It has nothing left to give its user. */
  readonly ended = new Latch();
  end: PeerEnd | undefined;
  /** It cut the connection itself, or broke the protocol. */
  harmed = false;
  /** It sent a close frame of its own, which was no answer. */
  closed = false;
  readonly #waiting: { readonly count: number; readonly callback: () => void }[] = [];

  #released = false;

  abstract readonly wire: WireFacts | undefined;

  perform(act: PeerAct): void {
    if (!this.#released) this.act(act);
  }

  /** Reads on, to the end, and does nothing more. */
  release(): void {
    this.#released = true;
    this.readOn();
  }

  protected abstract act(act: PeerAct): void;
  protected abstract readOn(): void;

  /** Calls back from within the event of the message that makes it so many. */
  onMessages(count: number, callback: () => void): void {
    if (this.received.length >= count) callback();
    else this.#waiting.push({ count, callback });
  }

  protected receive(message: Received): void {
    this.received.push(message);
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      if (this.#waiting[i]!.count > this.received.length) continue;
      this.#waiting.splice(i, 1)[0]!.callback();
    }
  }
}

/** A request that runs a handler. */
export function askText(ask: Ask): string {
  return JSON.stringify({ event: 'ask', data: ask });
}
