import type { SendOutcome } from '../core/outcomes.js';
import type { MessageOptions } from './socket.port.js';

/** Settles one send; called exactly once. */
export type Settle = (outcome: SendOutcome) => void;

export interface SendRequest extends MessageOptions {
  /** Settle once the peer's stack has read it, rather than once the kernel has taken it. */
  readonly acknowledge?: boolean | undefined;
  /** A newer message of the same key takes its place, as long as it waits in the queue. */
  readonly conflate?: string | undefined;
  /** Refuses it while its sender waits for room. */
  readonly signal?: AbortSignal | undefined;
}
