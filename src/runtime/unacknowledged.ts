import type { MessageData } from './socket.port.js';

/** A message that the peer's stack is not known to have read when its connection ended. */
export interface UnacknowledgedMessage {
  /** As it was accepted; for `emit()` and replies the encoded frame. */
  readonly data: MessageData;
  /** Whether it is a binary frame. */
  readonly binary: boolean;
  /** `'no'`: not a byte of it left, so that it can be sent again without a doubt. */
  readonly sent: 'no' | 'maybe';
}

export interface Handed {
  readonly sequence: number;
  readonly data: MessageData;
  readonly binary: boolean;
  readonly bytes: number;
}

export function isBinary(data: MessageData, binary: boolean | undefined): boolean {
  return binary ?? !(typeof data === 'string' || typeof data === 'number');
}

/** Messages handed over and kept until the peer's stack has read them, in order. */
export class Unacknowledged {
  bytes = 0;
  #messages: Handed[] = [];
  #head = 0;

  add(message: Handed): void {
    this.#messages.push(message);
    this.bytes += message.bytes;
  }

  /** Forgets those that were read. */
  release(covered: number): void {
    const messages = this.#messages;
    while (this.#head < messages.length && messages[this.#head]!.sequence <= covered) {
      this.bytes -= messages[this.#head++]!.bytes;
    }
    if (this.#head * 2 > messages.length) {
      this.#messages = messages.slice(this.#head);
      this.#head = 0;
    }
  }

  left(): UnacknowledgedMessage[] {
    return this.#messages
      .slice(this.#head)
      .map(({ data, binary }) => ({ data, binary, sent: 'maybe' }));
  }
}
