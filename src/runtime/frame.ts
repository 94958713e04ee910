import type { RaceDetail } from './lifecycle.observer.js';

/** Encodes a message; what has no form is told, and is `undefined`. */
export function encodeFrame(
  encode: (message: unknown) => string | Buffer,
  message: unknown,
  tell: (kind: 'unserializable', detail: RaceDetail) => void,
): string | Buffer | undefined {
  try {
    const frame: unknown = encode(message);
    if (typeof frame === 'string' || frame instanceof Uint8Array) return frame as string | Buffer;
    throw new TypeError('The serializer has made neither a string nor a Buffer of it.');
  } catch (error) {
    tell('unserializable', {
      message:
        'A message has no JSON form (a BigInt, a cycle, a function?): return plain data, or ' +
        'pass a serializer.',
      error,
    });
    return undefined;
  }
}
