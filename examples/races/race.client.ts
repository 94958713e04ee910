import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';

/** A client that counts what arrives. */
export class RaceClient {
  /** Messages that have arrived. */
  received = 0;
  /** The numbers in them. */
  readonly numbers: number[] = [];
  /** The code of its 'close' event. */
  readonly closed: Promise<number>;

  private constructor(readonly socket: WebSocket) {
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => resolve(code));
    });
    socket.on('message', (data: Buffer) => {
      this.received++;
      const [, number] = /"data":(\d+)/.exec(data.toString('latin1', 0, 64)) ?? [];
      if (number !== undefined) this.numbers.push(Number(number));
    });
  }

  static async connect(url: string): Promise<RaceClient> {
    const client = new RaceClient(new WebSocket(url));
    await once(client.socket, 'open');
    return client;
  }

  ask(event: string, times = 1): void {
    for (let data = 0; data < times; data++) this.socket.send(JSON.stringify({ event, data }));
  }

  /** Reads no faster than this from now on. */
  readSlowly(bytesPerSecond: number): void {
    const since = performance.now();
    let bytes = 0;
    this.socket.on('message', (data: Buffer) => {
      bytes += data.byteLength;
      const ahead = (bytes / bytesPerSecond) * 1_000 - (performance.now() - since);
      if (ahead <= 0 || this.socket.isPaused) return;
      this.socket.pause();
      setTimeout(() => this.socket.resume(), ahead);
    });
  }
}

/** A client that knows no close frames: the handshake by hand, and masked text frames. */
export class StubbornClient {
  private constructor(private readonly socket: Socket) {}

  static async connect(url: string): Promise<StubbornClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => socket.destroy());
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await once(socket, 'data');
    return new StubbornClient(socket);
  }

  ask(event: string, times: number): void {
    const payload = Buffer.from(JSON.stringify({ event, data: 0 }));
    // FIN and text; masked, with a mask of zeros (RFC 6455 §5.2).
    const frame = Buffer.concat([
      Buffer.from([0x81, 0x80 | payload.byteLength, 0, 0, 0, 0]),
      payload,
    ]);
    for (let i = 0; i < times; i++) this.socket.write(frame);
  }

  leave(): void {
    this.socket.destroy();
  }
}

/** Waits for something that no event tells of. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
