import type { MessageData } from './socket.port.js';
import type { SendRequest, Settle } from './send-request.js';

/** A message that was accepted and has not been handed over. */
export interface Queued {
  readonly data: MessageData;
  readonly request: SendRequest | undefined;
  readonly bytes: number;
  readonly settle: Settle | undefined;
  /** Those who wait until this and everything before it was read. */
  barriers?: Settle[] | undefined;
}

/** Its place among the others. A class, as what is spread into one costs a microsecond more. */
class Link implements Queued {
  readonly data: Queued['data'];
  readonly request: Queued['request'];
  readonly bytes: number;
  readonly settle: Queued['settle'];
  barriers: Settle[] | undefined;
  behind: Link | undefined;

  constructor(
    { data, request, bytes, settle, barriers }: Queued,
    public before: Link | undefined,
  ) {
    this.data = data;
    this.request = request;
    this.bytes = bytes;
    this.settle = settle;
    this.barriers = barriers;
    this.behind = undefined;
  }
}

/** Messages in the order of their acceptance. Any of them can be taken out in constant time. */
export class SendQueue {
  bytes = 0;
  size = 0;
  #first: Link | undefined;
  #last: Link | undefined;
  #byKey: Map<string, Link> | undefined;

  get first(): Queued | undefined {
    return this.#first;
  }

  get last(): Queued | undefined {
    return this.#last;
  }

  /** The one that a newer message of this key takes the place of. */
  conflated(key: string): Queued | undefined {
    return this.#byKey?.get(key);
  }

  push(message: Queued): void {
    const link = new Link(message, this.#last);
    if (this.#last) this.#last.behind = link;
    else this.#first = link;
    this.#last = link;
    this.bytes += link.bytes;
    this.size++;
    const key = message.request?.conflate;
    if (key !== undefined) (this.#byKey ??= new Map()).set(key, link);
  }

  /** Takes out one that is in it; returns the one before it. */
  remove(message: Queued): Queued | undefined {
    const link = message as Link;
    const { before, behind } = link;
    if (before) before.behind = behind;
    else this.#first = behind;
    if (behind) behind.before = before;
    else this.#last = before;
    this.bytes -= link.bytes;
    this.size--;
    const key = link.request?.conflate;
    if (key !== undefined && this.#byKey?.get(key) === link) this.#byKey.delete(key);
    return before;
  }

  *[Symbol.iterator](): IterableIterator<Queued> {
    for (let link = this.#first; link; link = link.behind) yield link;
  }
}
