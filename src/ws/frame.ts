/** The first byte of a frame that is a whole message (RFC 6455 §5.2). */
export const TEXT = 0x81;
export const BINARY = 0x82;

/** The first byte of a ping (RFC 6455 §5.5.2). */
const PING = 0x89;

/** What a compressed message has beside it (RFC 7692 §6). */
export const COMPRESSED = 0x40;

/** The most that 16 bits of length can say. */
export const LARGEST_FRAMED = 0xffff;

/** More than the longest header that is needed here, of 16 bits of length (RFC 6455 §5.2). */
export const HEADER_ROOM = 4;

const SHORT = 125;
const TWO_BYTES_FOLLOW = 126;

/** Bytes before the payload of an unmasked frame of less than 64 KiB. */
function headerOf(length: number): number {
  return length <= SHORT ? 2 : 4;
}

function writeHeader(target: Buffer, offset: number, first: number, length: number): void {
  target[offset] = first;
  if (length <= SHORT) {
    target[offset + 1] = length;
    return;
  }
  target[offset + 1] = TWO_BYTES_FOLLOW;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length & 0xff;
}

/**
 * Writes a frame of less than 64 KiB at `offset`, where it must have room; returns its end. The
 * length of a text is known only once it is written, so its header is guessed to be that of ASCII.
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
  const length = target.write(data, offset + guess);
  const header = headerOf(length);
  if (header !== guess) target.copyWithin(offset + header, offset + guess, offset + guess + length);
  writeHeader(target, offset, first, length);
  return offset + header + length;
}

/** A frame of at most `LARGEST_FRAMED` bytes. */
export function frameOf(first: number, data: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafeSlow(headerOf(data.length) + data.length);
  writeFrame(frame, 0, first, data);
  return frame;
}

/** A ping of at most 125 bytes (RFC 6455 §5.5), which soon leaves, so that memory is shared. */
export function pingOf(payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerOf(payload.length) + payload.length);
  writeFrame(frame, 0, PING, payload);
  return frame;
}
