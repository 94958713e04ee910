import { randomBytes } from 'node:crypto';
import type { MessageSize } from './schedule.types.js';

/** 64 KiB that no compression makes small. */
const NOISE = randomBytes(48 * 1024).toString('base64');

const NUMBER = /"n":(\d+)/;

/** A message as its receiver had it. */
export interface Received {
  /** Its place in the order of acceptance; none for what the app has not numbered. */
  readonly n: number | undefined;
  readonly length: number;
  readonly binary: boolean;
  /** Whether all between its ends is what was sent. */
  readonly intact: boolean;
}

/** What stands in a message: its number, and padding if it is to be large. */
export function bodyOf(n: number, size: MessageSize): { n: number; pad?: string } {
  return size === 'large' ? { n, pad: NOISE } : { n };
}

export function textOf(n: number, size: MessageSize): string {
  return JSON.stringify(bodyOf(n, size));
}

/** Nest's frame around it. */
export function frameLength(n: number, size: MessageSize): number {
  return JSON.stringify({ event: 'm', data: bodyOf(n, size) }).length;
}

/** All messages are ASCII, so that characters are bytes. */
export function readMessage(data: Buffer | ArrayBuffer | string, binary: boolean): Received {
  const text = typeof data === 'string' ? data : Buffer.from(data as Buffer).toString('latin1');
  const n = NUMBER.exec(text.slice(0, 64))?.[1];
  return {
    n: n === undefined ? undefined : Number(n),
    length: text.length,
    binary,
    intact: text.endsWith('}') && (text.length < NOISE.length || text.includes(NOISE)),
  };
}
