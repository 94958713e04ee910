import type { RefusalCause } from '../core/outcomes.js';
import { BroadcastTally, type BroadcastOutcome } from './broadcast-tally.js';
import type { SendRequest, Settle } from './send-request.js';
import { SharedMessage, type MessageData } from './socket.port.js';

export interface BroadcastTarget {
  submit(data: MessageData, request?: SendRequest, settle?: Settle): boolean;
  /** Sends it where nothing has to be looked at before; false: nothing was done. */
  submitShared?(message: SharedMessage, tally: BroadcastTally): boolean;
}

/** Nothing was sent, to none of so many. */
export function refusedBroadcast(targets: number, cause: RefusalCause): BroadcastOutcome {
  const tally = new BroadcastTally(targets);
  tally.refused[cause] = targets;
  return tally.outcome;
}

/** Sends one frame to all of them, encoded once. Settles once it has for each. */
export function broadcast(
  targets: readonly BroadcastTarget[],
  frame: string | Buffer,
  request?: SendRequest,
): Promise<BroadcastOutcome> {
  const tally = new BroadcastTally(targets.length);
  if (targets.length === 0) return Promise.resolve(tally.outcome);
  const binary = typeof frame !== 'string';
  const data = Buffer.isBuffer(frame) ? frame : Buffer.from(frame);
  const message = targets.length > 1 ? new SharedMessage(data, binary) : undefined;
  const alone: SendRequest = { binary, ...request, ...(message && { shared: message }) };
  const settle: Settle = (outcome) => tally.add(outcome);
  return new Promise((resolve) => {
    tally.onComplete = () => resolve(tally.outcome);
    for (const target of targets) {
      const sent = message !== undefined && target.submitShared?.(message, tally) === true;
      if (!sent) target.submit(data, alone, settle);
    }
  });
}
