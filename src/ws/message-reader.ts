/* oxlint-disable no-underscore-dangle -- the names are those of ws. */
import { isUtf8 } from 'node:buffer';
import { BINARY, EIGHT_BYTES_FOLLOW, MASKED, PONG, TEXT, TWO_BYTES_FOLLOW } from './frame.js';
import type { ReceiverLimits } from './ws.internals.js';

// Of a masked frame: what comes before a payload of at most 125 bytes, and before one of at most 64 KiB.
const SHORT_HEADER = 6;
const LONG_HEADER = 8;

const MASK_LENGTH = 4;

/** Bytes from which on to copy them twice costs less than to go through them one by one. */
const SHORTEST_IN_WORDS = 96;

/** Bytes of a typed array that V8 keeps on its heap, where it costs a quarter of what others cost. */
const LARGEST_ON_HEAP = 64;

/** Of four bytes. */
const NOT_ASCII = 0x80808080;

/** A mask and the longest payload that has a length of two bytes. */
const words = new Int32Array(1 + (64 * 1024) / Int32Array.BYTES_PER_ELEMENT);
const scratch = Buffer.from(words.buffer);

/**
 * Whole messages out of the bytes of one read: each of one frame, masked and not compressed, as
 * most are (RFC 6455 §5.2), and pongs. It stops before anything else, which is ws's to read.
 */
export class MessageReader {
  /** What was read last: alone, or with what came in the same read, as the app may keep it. */
  data!: Buffer;
  /** The first byte of its frame. */
  first = 0;
  /** Bytes that the message lacks of which the header is there; 0: it is none that is read here. */
  missing = 0;
  /** What is left is less than a header, of a message that may be read here. */
  begun = false;
  /** What the messages that are not short are parts of, and where it begins. */
  #own: Buffer | undefined;
  #ownStart = 0;

  /**
   * @param bytes - which may be used again; short messages are unmasked in it
   * @param offset - of the first byte that was not read
   */
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
    if (first !== TEXT && !isRead(first, limits)) return false;
    if (left === 1) return this.#begin();
    const second = bytes[offset + 1]!;
    if (second < MASKED) return false;
    let length = second - MASKED;
    let header = SHORT_HEADER;
    if (length >= TWO_BYTES_FOLLOW) {
      // The payload of a control frame is short (RFC 6455 §5.5).
      if (length === EIGHT_BYTES_FOLLOW || first === PONG) return false;
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
    const short = length <= LARGEST_ON_HEAP;
    const memory = short ? bytes : this.#ownMemory();
    const from = offset + header - (short ? 0 : this.#ownStart);
    const ascii = unmask(memory, from, length);
    if (first === TEXT && !ascii && !anyBytes && !isUtf8(memory.subarray(from, from + length))) {
      // Masks it again.
      unmask(memory, from, length);
      return false;
    }
    this.data = short ? copyOf(bytes, from, from + length) : memory.subarray(from, from + length);
    this.first = first;
    this.offset = offset + size;
    return true;
  }

  /** Takes what was not read, as it came. */
  takeRest(): Buffer {
    const { bytes, offset, end } = this;
    this.offset = end;
    return this.#own ? this.#own.subarray(offset - this.#ownStart) : copyOf(bytes, offset, end);
  }

  #ownMemory(): Buffer {
    if (this.#own) return this.#own;
    this.#ownStart = this.offset;
    return (this.#own = copyOf(this.bytes, this.offset, this.end));
  }

  #begin(): false {
    this.begun = true;
    return false;
  }
}

/** What is read here beside texts. */
function isRead(first: number, { _binaryType: binaryType }: ReceiverLimits): boolean {
  return first === BINARY ? binaryType === 'nodebuffer' : first === PONG;
}

/** Memory that is nobody else's, where `Buffer.from` takes it from a pool. */
export function copyOf(bytes: Buffer, from: number, end: number): Buffer {
  // That of Buffer itself shares the memory.
  return Uint8Array.prototype.slice.call(bytes, from, end) as Buffer;
}

/** Unmasks a payload by the mask before it (RFC 6455 §5.3); returns whether all of it is ASCII. */
function unmask(bytes: Buffer, from: number, length: number): boolean {
  if (length >= SHORTEST_IN_WORDS) return unmaskInWords(bytes, from, length);
  let all = 0;
  for (let at = 0; at < length; at++) {
    all |= bytes[from + at]! ^= bytes[from - MASK_LENGTH + (at & 3)]!;
  }
  return all < 0x80;
}

/** Four bytes at a time, in memory where they can be read as one number. */
function unmaskInWords(bytes: Buffer, from: number, length: number): boolean {
  const end = MASK_LENGTH + length;
  bytes.copy(scratch, 0, from - MASK_LENGTH, from + length);
  const mask = words[0]!;
  let all = 0;
  const whole = end >>> 2;
  for (let at = 1; at < whole; at++) all |= words[at]! ^= mask;
  for (let at = whole * 4; at < end; at++) all |= scratch[at]! ^= scratch[at & 3]!;
  scratch.copy(bytes, from, MASK_LENGTH, end);
  return (all & NOT_ASCII) === 0;
}
