import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants, deflateRawSync } from 'node:zlib';

/** What a peer speaks: the frames of Nest's `WsAdapter`, or those of Socket.IO over a WebSocket. */
export type Protocol = 'ws' | 'socket.io';

export interface PeerOptions {
  readonly protocol?: Protocol;
  /** Offers permessage-deflate; what comes is counted, not inflated. */
  readonly deflate?: boolean;
}

const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const MASKED = 0x80;
/** RSV1 (RFC 7692 §7.2.1). */
const COMPRESSED = 0x40;
const TRAILER_LENGTH = 4;

/** Not zeros, with which ws would have less to do than for any other client. */
const MASK = [0x12, 0x9a, 0x3c, 0x71] as const;

/** A masked frame (RFC 6455 §5.2), always with the same mask, so that it is made once. */
function maskedFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new RangeError('Longer frames are not needed here.');
  const lengths = length <= 125 ? [length] : [126, length >> 8, length & 0xff];
  const header = [0x80 | opcode, MASKED | lengths[0]!, ...lengths.slice(1), ...MASK];
  return Buffer.concat([
    Buffer.from(header),
    payload.map((byte, index) => byte ^ MASK[index & 3]!),
  ]);
}

/** Those that answer, by what they answer with: thousands of the same in a close storm. */
const answers = new Map<string, Buffer>();

function answerFrame(opcode: number, payload: Buffer): Buffer {
  const key = `${opcode} ${payload.toString('latin1')}`;
  let frame = answers.get(key);
  if (!frame) answers.set(key, (frame = maskedFrame(opcode, payload)));
  return frame;
}

export function textFrame(text: string): Buffer {
  return maskedFrame(TEXT, Buffer.from(text));
}

/** A message of the app, as its protocol has it; compressed, it refers to nothing before it. */
export function eventFrame(
  protocol: Protocol,
  event: string,
  data?: unknown,
  compressed = false,
): Buffer {
  const text =
    protocol === 'ws' ? JSON.stringify({ event, data }) : `42${JSON.stringify([event, data])}`;
  if (!compressed) return textFrame(text);
  const flushed = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
  return maskedFrame(TEXT | COMPRESSED, flushed.subarray(0, -TRAILER_LENGTH));
}

const PATHS: Record<Protocol, string> = {
  ws: '/',
  'socket.io': '/socket.io/?EIO=4&transport=websocket',
};
const JOIN = textFrame('40');
const ENGINE_PONG = textFrame('3');

/**
 * A client that only counts messages: it must never be the limit of what is measured. It answers
 * a close frame and pings, of both protocols.
 */
export class BenchPeer {
  /** Messages so far. */
  received = 0;
  onData: (() => void) | undefined;
  /** Of the close frame that came. */
  closeCode: number | undefined;
  ended = false;
  onEnd: (() => void) | undefined;
  /** The beginning of a frame whose header is not complete. */
  #rest: Buffer | undefined;
  /** Bytes of the payload that are still to come. */
  #left = 0;

  private constructor(
    private readonly socket: Socket,
    private readonly protocol: Protocol,
  ) {
    socket.on('data', (chunk) => {
      this.#read(chunk);
      this.onData?.();
    });
    socket.on('close', () => {
      this.ended = true;
      this.onEnd?.();
    });
  }

  static async connect(
    port: number,
    { protocol = 'ws', deflate }: PeerOptions = {},
  ): Promise<BenchPeer> {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay();
    socket.on('error', () => socket.destroy());
    socket.write(
      `GET ${PATHS[protocol]} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\n` +
        'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        (deflate ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : '') +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const answer = await answerOf(socket);
    const peer = new BenchPeer(socket, protocol);
    if (answer.length > 0) peer.#read(answer);
    if (protocol === 'socket.io') await peer.#join();
    return peer;
  }

  write(frames: Buffer): void {
    this.socket.write(frames);
  }

  end(): void {
    this.socket.destroy();
  }

  /** The session opens, we join the namespace, the server agrees. */
  async #join(): Promise<void> {
    while (this.received < 1) await once(this.socket, 'data');
    this.write(JOIN);
    while (this.received < 2) await once(this.socket, 'data');
    this.received = 0;
  }

  #read(chunk: Buffer): void {
    let at = Math.min(this.#left, chunk.length);
    this.#left -= at;
    let bytes = chunk;
    if (this.#rest) {
      bytes = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
      at = 0;
    }
    while (at < bytes.length) {
      const head = headerOf(bytes, at);
      if (!head) {
        this.#rest = bytes.subarray(at);
        return;
      }
      const { opcode, start, length } = head;
      // Of these the payload is looked at, so that it has to be there.
      const engine = this.protocol === 'socket.io' && length === 1;
      const looked = opcode === CLOSE || opcode === PING || engine;
      if (looked && start + length > bytes.length) {
        this.#rest = bytes.subarray(at);
        return;
      }
      const payload = bytes.subarray(start, start + length);
      if (opcode === CLOSE) this.#close(payload);
      else if (opcode === PING) this.write(answerFrame(PONG, payload));
      else if (looked) this.write(ENGINE_PONG);
      else if (opcode < CLOSE) this.received++;
      at = start + length;
    }
    this.#left += at - bytes.length;
  }

  #close(payload: Buffer): void {
    this.closeCode = payload.length >= 2 ? payload.readUInt16BE() : 1005;
    this.socket.end(answerFrame(CLOSE, payload));
  }
}

interface Header {
  readonly opcode: number;
  /** Where the payload begins. */
  readonly start: number;
  readonly length: number;
}

function headerOf(bytes: Buffer, at: number): Header | undefined {
  const there = bytes.length - at;
  if (there < 2) return undefined;
  const opcode = bytes[at]! & 0x0f;
  const short = bytes[at + 1]!;
  if (short < 126) return { opcode, start: at + 2, length: short };
  const wide = short === 127;
  if (there < (wide ? 10 : 4)) return undefined;
  return wide
    ? { opcode, start: at + 10, length: bytes.readUInt32BE(at + 6) }
    : { opcode, start: at + 4, length: bytes.readUInt16BE(at + 2) };
}

/** Reads the answer to the handshake; returns what came behind it. */
async function answerOf(socket: Socket): Promise<Buffer> {
  let answer = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    answer = Buffer.concat([answer, chunk]);
    const end = answer.indexOf('\r\n\r\n');
    if (end !== -1) return answer.subarray(end + 4);
  }
}
