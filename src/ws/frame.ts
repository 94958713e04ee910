/** The first byte of a frame that is a whole message (RFC 6455 §5.2). */
export const TEXT = 0x81;
export const BINARY = 0x82;

/** The first bytes of a ping and of a pong (RFC 6455 §5.5.2 and §5.5.3). */
const PING = 0x89;
export const PONG = 0x8a;

/** What a compressed message has beside it (RFC 7692 §6). */
export const COMPRESSED = 0x40;

/** What the second byte of a frame of a client has beside its length (RFC 6455 §5.1). */
export const MASKED = 0x80;

// The three forms of a length (RFC 6455 §5.2).
const SHORT = 125;
export const TWO_BYTES_FOLLOW = 126;
const LARGEST_OF_TWO_BYTES = 0xffff;
export const EIGHT_BYTES_FOLLOW = 127;

/** The longest header of an unmasked frame. */
export const HEADER_ROOM = 10;

/** Of UTF-8 for one UTF-16 code unit. */
export const MAX_BYTES_PER_UNIT = 3;

/** Bytes before the payload of an unmasked frame. */
function headerOf(length: number): number {
  if (length <= SHORT) return 2;
  return length <= LARGEST_OF_TWO_BYTES ? 4 : HEADER_ROOM;
}

function writeHeader(target: Buffer, offset: number, first: number, length: number): void {
  target[offset] = first;
  if (length <= SHORT) {
    target[offset + 1] = length;
  } else if (length <= LARGEST_OF_TWO_BYTES) {
    target[offset + 1] = TWO_BYTES_FOLLOW;
    target[offset + 2] = length >>> 8;
    target[offset + 3] = length & 0xff;
  } else {
    target[offset + 1] = EIGHT_BYTES_FOLLOW;
    // No Buffer is as long as 2⁴⁸ bytes.
    target.writeUInt16BE(0, offset + 2);
    target.writeUIntBE(length, offset + 4, 6);
  }
}

/**
 * Writes a frame at `offset`, where it must have room; returns its end. The length of a text is
 * known only once it is written, so its header is guessed to be that of ASCII.
 */
export function writeFrame(
  target: Buffer,
  offset: number,
  first: number,
  data: string | Uint8Array,
): number {
  if (typeof data !== 'string') {
    const header = headerOf(data.length);
    writeHeader(target, offset, first, data.length);
    target.set(data, offset + header);
    return offset + header + data.length;
  }
  const guess = headerOf(data.length);
  return enclose(target, offset, first, guess, target.write(data, offset + guess));
}

/**
 * Writes the header of a payload that was written behind a guess of its room, from where it is
 * moved if that was wrong; returns the end of the frame.
 */
function enclose(
  target: Buffer,
  offset: number,
  first: number,
  guess: number,
  length: number,
): number {
  const header = headerOf(length);
  if (header !== guess) target.copyWithin(offset + header, offset + guess, offset + guess + length);
  writeHeader(target, offset, first, length);
  return offset + header + length;
}

/** What is asked to compress a message; as `DeflateContext`. */
export interface PayloadWriter {
  /** Returns the end of the payload, `undefined` where it can't. */
  write(data: Uint8Array, target: Buffer, offset: number): number | undefined;
}

/** As `writeFrame`, compressed; `undefined` where that can't be done. */
export function writeCompressedFrame(
  target: Buffer,
  offset: number,
  first: number,
  data: Uint8Array,
  context: PayloadWriter,
): number | undefined {
  const guess = headerOf(data.length);
  const from = offset + guess;
  const end = context.write(data, target, from);
  return end === undefined
    ? undefined
    : enclose(target, offset, first | COMPRESSED, guess, end - from);
}

export function frameOf(first: number, data: string | Uint8Array): Buffer {
  const length = Buffer.byteLength(data);
  const frame = Buffer.allocUnsafeSlow(headerOf(length) + length);
  writeFrame(frame, 0, first, data);
  return frame;
}

/** A ping of at most 125 bytes (RFC 6455 §5.5), which soon leaves, so that memory is shared. */
export function pingOf(payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerOf(payload.length) + payload.length);
  writeFrame(frame, 0, PING, payload);
  return frame;
}
