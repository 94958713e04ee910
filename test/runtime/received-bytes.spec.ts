import { expect, test } from '@jest/globals';
import { receivedBytes } from '../../src/runtime/received-bytes.js';
import type { ReceivedData } from '../../src/runtime/socket.port.js';

test.each<[string, ReceivedData]>([
  ['a Buffer', Buffer.alloc(7)],
  ['an ArrayBuffer', new ArrayBuffer(7)],
  ['fragments', [Buffer.alloc(3), Buffer.alloc(4)]],
  ['a Blob', new Blob([Buffer.alloc(7)])],
])('counts the bytes, whatever binaryType made of them: %s', (_kind, data) => {
  expect(receivedBytes(data)).toBe(7);
});
