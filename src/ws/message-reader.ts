/* oxlint-disable no-underscore-dangle -- the names are those of ws. */
import { isUtf8 } from 'node:buffer';
import { BINARY, EIGHT_BYTES_FOLLOW, MASKED, TEXT, TWO_BYTES_FOLLOW } from './frame.js';
import type { ReceiverLimits } from './ws.internals.js';

// Of a masked frame: what comes before a payload of at most 125 bytes, and before one of at most 64 KiB.
const SHORT_HEADER = 6;
export const LONG_HEADER = 8;

const MASK_LENGTH = 4;

/** Bytes from which on to copy them twice costs less than to go through them one by one. */
const SHORTEST_IN_WORDS = 96;

/** Of four bytes. */
const NOT_ASCII = 0x80808080;

/** A mask and the longest payload that has a length of two bytes. */
const words = new Int32Array(1 + (64 * 1024) / Int32Array.BYTES_PER_ELEMENT);
const scratch = Buffer.from(words.buffer);

/**
 * Whole messages out of the bytes of one read: each of one frame, masked and not compressed, as
 * most are (RFC 6455 §5.2). It stops before anything else, which is ws's to read.
 */
export class MessageReader {
  /** What was read last, in memory of its own. */
  data!: Buffer;
  isBinary = false;
  /** Bytes that the message lacks of which the header is there; 0: it is none that is read here. */
  missing = 0;
  /** What is left is less than a header, of a message that may be read here. */
  begun = false;

  /** @param offset - of the first byte that was not read */
  constructor(
    private readonly bytes: Buffer,
    public offset: number,
    private readonly end: number,
  ) {}

  /** Reads the next message, of what ws's receiver would take; false: there is none. */
  next(limits: ReceiverLimits): boolean {
    const { bytes, offset } = this;
    const left = this.end - offset;
    if (left === 0) return false;
    const first = bytes[offset]!;
    if (first !== TEXT && !(first === BINARY && limits._binaryType === 'nodebuffer')) return false;
    if (left === 1) return this.#begin();
    const second = bytes[offset + 1]!;
    if (second < MASKED) return false;
    let length = second - MASKED;
    let header = SHORT_HEADER;
    if (length >= TWO_BYTES_FOLLOW) {
      if (length === EIGHT_BYTES_FOLLOW) return false;
      if (left < LONG_HEADER) return this.#begin();
      length = (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
      header = LONG_HEADER;
    }
    const { _maxPayload: maxPayload, _skipUTF8Validation: anyBytes } = limits;
    if (length > maxPayload && maxPayload > 0) return false;
    if (left < header) return this.#begin();
    const size = header + length;
    if (left < size) {
      this.missing = size - left;
      return false;
    }
    const data = Buffer.allocUnsafe(length);
    const ascii = unmask(bytes, offset + header, data);
    if (first === TEXT && !ascii && !anyBytes && !isUtf8(data)) return false;
    this.data = data;
    this.isBinary = first === BINARY;
    this.offset = offset + size;
    return true;
  }

  #begin(): false {
    this.begun = true;
    return false;
  }
}

/** Copies a payload, of which the mask comes before it (RFC 6455 §5.3); returns whether all is ASCII. */
function unmask(bytes: Buffer, from: number, data: Buffer): boolean {
  const { length } = data;
  if (length >= SHORTEST_IN_WORDS) return unmaskInWords(bytes, from, data);
  let all = 0;
  for (let at = 0; at < length; at++) {
    const byte = bytes[from + at]! ^ bytes[from - MASK_LENGTH + (at & 3)]!;
    data[at] = byte;
    all |= byte;
  }
  return all < 0x80;
}

/** Four bytes at a time, in memory where they can be read as one number. */
function unmaskInWords(bytes: Buffer, from: number, data: Buffer): boolean {
  const end = MASK_LENGTH + data.length;
  bytes.copy(scratch, 0, from - MASK_LENGTH, from + data.length);
  const mask = words[0]!;
  let all = 0;
  const whole = end >>> 2;
  for (let at = 1; at < whole; at++) all |= words[at]! ^= mask;
  for (let at = whole * 4; at < end; at++) all |= scratch[at]! ^= scratch[at & 3]!;
  scratch.copy(data, 0, MASK_LENGTH, end);
  return (all & NOT_ASCII) === 0;
}
