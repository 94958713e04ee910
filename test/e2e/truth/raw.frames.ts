import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A reserved opcode and reserved bits: no server may take it for anything. */
export const GARBAGE = Buffer.from([0xf7, 0x80, 1, 2, 3, 4]);

/** A frame of a client: whole, and masked (RFC 6455 §5.3). */
export function clientFrame(opcode: number, payload: Uint8Array | string = ''): Buffer {
  const data = Buffer.from(payload as string);
  const extended = data.length > 125;
  const head = Buffer.alloc(extended ? 4 : 2);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (extended ? 126 : data.length);
  if (extended) head.writeUInt16BE(data.length, 2);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, unmask(mask, data)]);
}

/** A frame of a server: whole, and not masked. */
export function serverFrame(opcode: number, payload: Uint8Array | string, rsv1 = false): Buffer {
  const data = Buffer.from(payload as string);
  const head = Buffer.alloc(data.length > 65_535 ? 10 : data.length > 125 ? 4 : 2);
  head[0] = 0x80 | (rsv1 ? 0x40 : 0) | opcode;
  head[1] = head.length === 10 ? 127 : head.length === 4 ? 126 : data.length;
  if (head.length === 4) head.writeUInt16BE(data.length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(data.length), 2);
  return Buffer.concat([head, data]);
}

export function closePayload(code: number | undefined, reason = ''): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}

/** Splits a stream of unfragmented frames, of either side, into its frames. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);

  read(chunk: Buffer): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    let length = bytes[1]! & 0x7f;
    let start = 2;
    if (length === 126) {
      if (bytes.length < 4) return undefined;
      length = bytes.readUInt16BE(2);
      start = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return undefined;
      length = Number(bytes.readBigUInt64BE(2));
      start = 10;
    }
    const masked = (bytes[1]! & 0x80) !== 0;
    const end = start + (masked ? 4 : 0) + length;
    if (bytes.length < end) return undefined;
    this.#bytes = bytes.subarray(end);
    const payload = masked
      ? unmask(bytes.subarray(start, start + 4), bytes.subarray(start + 4, end))
      : bytes.subarray(start, end);
    return { opcode: bytes[0]! & 0x0f, payload };
  }
}

function unmask(mask: Buffer, masked: Buffer): Buffer {
  return Buffer.from(masked.map((byte, index) => byte ^ mask[index % 4]!));
}

/** RST in place of FIN; libuv has none for a stream that is shutting down, and never closes it. */
export function reset(stream: Socket): void {
  if (stream.writableEnded) stream.destroy();
  else stream.resetAndDestroy();
}
