/**
 * What becomes of a message for which a connection has no room:
 *
 * - `close`: it is refused, and the slow consumer is closed with 1013
 * - `refuse`: it is refused
 * - `drop-oldest`: as many of those that wait in the queue as needed are dropped, oldest first
 * - `wait`: its sender waits until there is room
 */
export type OverflowPolicy = 'close' | 'refuse' | 'drop-oldest' | 'wait';

/** Bytes that one connection holds. */
export interface BufferState {
  /** Handed over; they can't be taken back. */
  readonly handed: number;
  /** In the queue. */
  readonly queued: number;
  /** Of senders that wait until theirs is accepted. */
  readonly waiting: number;
  /** What all of it may come to. */
  readonly limit: number;
}

export type Admission = 'queue' | 'drop-oldest' | 'wait' | 'refuse' | 'close';

/**
 * Under `wait`, this part of the limit is for messages that were accepted, and the rest for
 * senders that wait, so that the limit holds for both together.
 */
const ACCEPTED_SHARE = 0.5;

/**
 * What becomes of a message that can't be handed over now. Pure.
 *
 * @param patient - its sender can wait for an answer; whatever the size, if it is alone
 */
export function admissionOf(
  policy: OverflowPolicy,
  bytes: number,
  { handed, queued, waiting, limit }: BufferState,
  patient: boolean,
): Admission {
  const sum = handed + queued + waiting + bytes;
  switch (policy) {
    case 'wait':
      if (waiting === 0 && sum <= (patient ? limit * ACCEPTED_SHARE : limit)) return 'queue';
      return patient && (queued + waiting === 0 || sum <= limit) ? 'wait' : 'refuse';
    case 'drop-oldest':
      if (sum <= limit) return 'queue';
      return sum - queued <= limit ? 'drop-oldest' : 'refuse';
    default:
      return sum <= limit ? 'queue' : policy;
  }
}
