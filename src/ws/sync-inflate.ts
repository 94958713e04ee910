/* oxlint-disable no-underscore-dangle -- the names are those of Node. */
import type { Transform } from 'node:stream';
import { constants } from 'node:zlib';
import { copyOf } from './message-reader.js';
import { SyncDeflate, type Zlib } from './sync-deflate.js';

/**
 * Compressed bytes up to which a message is inflated at once: a thread holds up the event loop for
 * as long as it takes to inflate a few KiB (npm run bench:deflate).
 */
const LARGEST_INFLATED = 4 * 1024;

/** What such a message may become at once; zlib makes up to 1,032 bytes of one. */
const scratch = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * Inflates a small message by the stream that would otherwise have a thread do it, and that does
 * nothing else now. A stream that fails tells of it as ever.
 *
 * @returns what the stream has yet to be given; `undefined`: nothing
 */
export function inflateAtOnce(stream: Transform & Zlib, data: Uint8Array): Uint8Array | undefined {
  const { _handle: handle, _writeState: state } = stream;
  if (data.length > LARGEST_INFLATED || !handle || !SyncDeflate.supported) return data;
  handle.writeSync(constants.Z_SYNC_FLUSH, data, 0, data.length, scratch, 0, scratch.length);
  if (stream.destroyed) return undefined;
  const [room, untaken] = state as unknown as [number, number];
  if (room < scratch.length) stream.emit('data', copyOf(scratch, 0, scratch.length - room));
  // Who listens has had enough.
  if (stream.listenerCount('data') === 0) return undefined;
  if (room === 0) return data.subarray(data.length - untaken);
  // Behind the last block of a stream nothing is taken (RFC 7692 §7.2.3.4), on which Node ends it.
  if (untaken > 0) stream.push(null);
  return undefined;
}
