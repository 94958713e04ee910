import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A masked text frame (RFC 6455 §5.2), with the mask of zeros, so that it is made once. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length > 125) throw new RangeError('Only short frames are needed here.');
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/**
 * A client that only counts bytes: it must never be the limit of what is measured. It does not
 * answer pings, which no workload needs.
 */
export class BenchPeer {
  received = 0;
  onData: (() => void) | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.received += chunk.length;
      this.onData?.();
    });
  }

  static async connect(port: number): Promise<BenchPeer> {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay();
    socket.on('error', () => socket.destroy());
    socket.write(
      'GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await once(socket, 'data');
    return new BenchPeer(socket);
  }

  write(frames: Buffer): void {
    this.socket.write(frames);
  }

  end(): void {
    this.socket.destroy();
  }
}
