import { BatchingPort } from './batching.port.js';
import { FakePeer } from './fake.peer.js';
import { FakePort } from './fake.port.js';
import { Pipe } from './pipe.js';
import type { Schedule } from './task.queue.js';

export interface SocketPairOptions {
  /**
   * Runs what the ends do on their own.
   *
   * @default microtasks
   */
  readonly schedule?: Schedule;
  /**
   * Bytes that the kernel holds between the server and the peer, each way.
   *
   * @default 64 KiB
   */
  readonly kernelBuffer?: number;
  /**
   * The opening handshake has not ended, as with a client's socket; `port.open()` ends it.
   *
   * @default false
   */
  readonly connecting?: boolean;
  /**
   * The server's end reports all messages of a tick in one; `hasty`: it writes the first at once.
   *
   * @default false
   */
  readonly batching?: boolean | 'hasty';
}

export interface SocketPair {
  /** The server's end, for an owner. */
  readonly port: FakePort;
  /** The client's end, for a test. */
  readonly peer: FakePeer;
}

/** A WebSocket connection without a network: both of its ends, and a kernel between them. */
export function createSocketPair({
  schedule = (task) => queueMicrotask(task),
  kernelBuffer = 64 * 1024,
  connecting = false,
  batching = false,
}: SocketPairOptions = {}): SocketPair {
  const toPeer = new Pipe(kernelBuffer, schedule);
  const toServer = new Pipe(kernelBuffer, schedule);
  const ends = [toPeer, toServer, schedule, connecting] as const;
  return {
    port: batching ? new BatchingPort(...ends, batching === 'hasty') : new FakePort(...ends),
    peer: new FakePeer(toPeer, toServer, schedule),
  };
}
