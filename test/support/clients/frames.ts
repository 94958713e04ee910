/** Frames of RFC 6455 §5.2, made and read by hand, so that a peer can also send wrong ones. */

export const Opcode = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface FrameFlaws {
  /** @default true; a client must mask, and a server must refuse a frame that is not */
  readonly masked?: boolean;
  /** @default true */
  readonly fin?: boolean;
  /** The reserved bits, 0 to 7; none may be set without an extension. */
  readonly reserved?: number;
  /** What the header claims, where that is not the truth. */
  readonly length?: number;
  /** Four bytes. @default zeros, which are as valid as any */
  readonly mask?: Uint8Array;
}

/** A client's frame. */
export function frame(
  opcode: number,
  payload: Buffer | string = '',
  flaws: FrameFlaws = {},
): Buffer {
  const { masked = true, fin = true, reserved = 0, mask: key = Buffer.alloc(4) } = flaws;
  const body = Buffer.from(payload).map((byte, index) => byte ^ key[index & 3]!);
  const length = flaws.length ?? body.length;
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const mask = masked ? 0x80 : 0;
  let header: Buffer;
  if (length < 126) {
    header = Buffer.from([first, mask | length]);
  } else if (length < 65_536) {
    header = Buffer.from([first, mask | 126, 0, 0]);
    header.writeUInt16BE(length, 2);
  } else {
    header = Buffer.from([first, mask | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, ...(masked ? [key] : []), body]);
}

export function closeFrame(code?: number, reason = ''): Buffer {
  if (code === undefined) return frame(Opcode.close);
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code);
  return frame(Opcode.close, payload);
}

/** What a close frame says; 1005 where it carries no code. */
export function closeOf({ payload }: Frame): { code: number; reason: string } {
  if (payload.length < 2) return { code: 1005, reason: '' };
  return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
}

/** Cuts a server's bytes into frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  /** Takes what was read, and returns the frames that it completes. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (let next = this.#take(); next; next = this.#take()) frames.push(next);
    return frames;
  }

  #take(): Frame | undefined {
    if (this.#length < 2) return undefined;
    let head = this.#head(10);
    const short = head[1]! & 0x7f;
    const start = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (this.#length < start) return undefined;
    let length = short;
    if (short === 126) length = head.readUInt16BE(2);
    else if (short === 127) length = Number(head.readBigUInt64BE(2));
    if (this.#length < start + length) return undefined;
    head = this.#head(start + length);
    const taken = { opcode: head[0]! & 0x0f, payload: head.subarray(start, start + length) };
    this.#chunks = [head.subarray(start + length)];
    this.#length -= start + length;
    return taken;
  }

  /** The first chunk, made to hold at least `bytes` where there are as many. */
  #head(bytes: number): Buffer {
    if (this.#chunks[0]!.length < Math.min(bytes, this.#length)) {
      this.#chunks = [Buffer.concat(this.#chunks)];
    }
    return this.#chunks[0]!;
  }
}
