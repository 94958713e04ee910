import { REFUSAL_CAUSES, type RefusalCause, type SendOutcome } from '../core/outcomes.js';
import type { SendRequest, Settle } from './send-request.js';
import { SharedMessage, type MessageData } from './socket.port.js';

/** What became of one message for many: targets = written + refused + dropped + lost. */
export interface BroadcastOutcome {
  /** The connections that it was for: those that were open when it was sent. */
  readonly targets: number;
  /** Handed to the kernel, or read by the peer's stack where that was asked for. */
  readonly written: number;
  readonly refused: Readonly<Record<RefusalCause, number>>;
  readonly dropped: number;
  readonly lost: number;
}

export interface BroadcastTarget {
  submit(data: MessageData, request?: SendRequest, settle?: Settle): boolean;
}

/** Counts what became of each target. */
class Tally {
  readonly refused: Record<RefusalCause, number>;
  written = 0;
  dropped = 0;
  lost = 0;

  constructor(readonly targets: number) {
    const none = REFUSAL_CAUSES.map((cause) => [cause, 0]);
    this.refused = Object.fromEntries(none) as Record<RefusalCause, number>;
  }

  add(outcome: SendOutcome): void {
    if (outcome.status === 'refused') this.refused[outcome.cause]++;
    else if (outcome.status === 'dropped') this.dropped++;
    else if (outcome.status === 'lost') this.lost++;
    else this.written++;
  }

  get outcome(): BroadcastOutcome {
    const { targets, written, refused, dropped, lost } = this;
    return Object.freeze({ targets, written, refused, dropped, lost });
  }
}

/** Nothing was sent, to none of so many. */
export function refusedBroadcast(targets: number, cause: RefusalCause): BroadcastOutcome {
  const tally = new Tally(targets);
  tally.refused[cause] = targets;
  return tally.outcome;
}

/**
 * Sends one frame to all of them, encoded once. Settles once it has for each; one function settles
 * all, so that a target costs no more than a send does.
 */
export function broadcast(
  targets: readonly BroadcastTarget[],
  frame: string | Buffer,
  request?: SendRequest,
): Promise<BroadcastOutcome> {
  const tally = new Tally(targets.length);
  if (targets.length === 0) return Promise.resolve(tally.outcome);
  const data = Buffer.isBuffer(frame) ? frame : Buffer.from(frame);
  const shared: SendRequest = {
    binary: typeof frame !== 'string',
    ...request,
    ...(targets.length > 1 && { shared: new SharedMessage() }),
  };
  return new Promise((resolve) => {
    let left = targets.length;
    const settle: Settle = (outcome) => {
      tally.add(outcome);
      if (--left === 0) resolve(tally.outcome);
    };
    for (const target of targets) target.submit(data, shared, settle);
  });
}
