import type { ReceivedData } from './socket.port.js';

export function receivedBytes(data: ReceivedData): number {
  if (data instanceof Blob) return data.size;
  return Array.isArray(data)
    ? data.reduce((bytes, part) => bytes + part.byteLength, 0)
    : data.byteLength;
}
