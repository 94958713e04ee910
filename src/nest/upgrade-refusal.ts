import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

type Headers = Readonly<Record<string, string>>;

/** Answers an upgrade request with an HTTP error, and leaves nothing of its socket open. */
export function refuseUpgrade(socket: Duplex, status: number, headers: Headers = {}): void {
  // An HTTP server leaves its own side open for as long as the client does.
  socket.once('finish', () => socket.destroy());
  socket.on('error', () => socket.destroy());
  const reason = STATUS_CODES[status] ?? 'Refused';
  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': 'text/plain',
    'Content-Length': String(Buffer.byteLength(reason)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n${reason}`);
}
