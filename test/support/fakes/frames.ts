import type { CloseFrame } from '../../../src/core/close-request.js';

/** What travels between the two ends. */
export type Frame =
  | { readonly type: 'message'; readonly data: Buffer; readonly isBinary: boolean }
  | { readonly type: 'ping'; readonly payload: Buffer }
  | { readonly type: 'pong'; readonly payload: Buffer }
  /** 1005 stands for a close frame without a code. */
  | { readonly type: 'close'; readonly frame: CloseFrame }
  /** Breaks the protocol; `code` is what a server closes with. */
  | { readonly type: 'garbage'; readonly code: number };

function payloadSize(frame: Frame): number {
  switch (frame.type) {
    case 'message':
      return frame.data.length;
    case 'ping':
    case 'pong':
      return frame.payload.length;
    case 'close':
      return frame.frame.code === 1005 ? 0 : 2 + Buffer.byteLength(frame.frame.reason);
    case 'garbage':
      return 0;
  }
}

/** Bytes on the wire (RFC 6455 §5.2, without a mask). */
export function frameSize(frame: Frame): number {
  const size = payloadSize(frame);
  if (size < 126) return 2 + size;
  return size < 65_536 ? 4 + size : 10 + size;
}
