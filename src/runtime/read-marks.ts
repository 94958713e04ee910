import { randomBytes } from 'node:crypto';

/** Tells our pongs from those to the app's own pings. */
const PREFIX = randomBytes(4).toString('latin1');

/**
 * The pings of a connection that has sent nothing, so that there is nothing for a mark to cover:
 * those of all connections are the same, and most connections have no other. None is like a mark's.
 */
export const LONE_BEAT = Buffer.from(`${PREFIX}?`, 'latin1');
export const LONE_CLOSE = Buffer.from(`${PREFIX}!`, 'latin1');

/**
 * Pings sent behind messages, and what their pongs prove: that the peer's protocol stack has read
 * everything before them (RFC 6455 §5.5.2 and §5.5.3: any stack answers, a browser's included).
 *
 * A peer may answer only the latest of several pings, so a pong stands for all before it too.
 */
export class ReadMarks {
  #next = 0;
  #pending: { readonly id: number; readonly covers: number }[] = [];

  /** Pings without a pong. */
  get pending(): number {
    return this.#pending.length;
  }

  /** The number of the ping placed last. */
  get latest(): number {
    return this.#next - 1;
  }

  /** The payload of a ping behind the first `covers` messages. */
  place(covers: number): Buffer {
    const id = this.#next++;
    this.#pending.push({ id, covers });
    return Buffer.from(PREFIX + id.toString(36), 'latin1');
  }

  /** How many messages a pong proves read, and which ping it answers; `undefined`: not ours. */
  read(payload: Buffer): { readonly id: number; readonly covers: number } | undefined {
    const text = payload.toString('latin1');
    if (!text.startsWith(PREFIX)) return undefined;
    const id = Number.parseInt(text.slice(PREFIX.length), 36);
    const index = this.#pending.findIndex((mark) => mark.id === id);
    if (index === -1) return undefined;
    const mark = this.#pending[index]!;
    this.#pending.splice(0, index + 1);
    return mark;
  }
}
