import { REFUSAL_CAUSES, type RefusalCause, type SendOutcome } from '../core/outcomes.js';

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

/** Of a run, so that counting it, which goes from each to the one before, never fills the stack. */
export const LONGEST_RUN = 256;

/** Counts what became of each target of one broadcast. */
export class BroadcastTally {
  readonly refused: Record<RefusalCause, number>;
  written = 0;
  dropped = 0;
  lost = 0;
  /** Called once there is an outcome for each. */
  onComplete: (() => void) | undefined;
  #left: number;
  #run: TallyRun | undefined;

  constructor(readonly targets: number) {
    const none = REFUSAL_CAUSES.map((cause) => [cause, 0]);
    this.refused = Object.fromEntries(none) as Record<RefusalCause, number>;
    this.#left = targets;
  }

  add(outcome: SendOutcome): void {
    if (outcome.status === 'refused') this.refused[outcome.cause]++;
    else if (outcome.status === 'dropped') this.dropped++;
    else if (outcome.status === 'lost') this.lost++;
    else this.written++;
    if (--this.#left > 0) return;
    const { onComplete } = this;
    // It knows all targets, and this may be kept by one that has yet to read something else.
    this.onComplete = undefined;
    onComplete?.();
  }

  /** That run and this broadcast behind it; the same object for all who had the same before. */
  behind(before: TallyRun | undefined): TallyRun {
    if (this.#run?.before === before && this.#run) return this.#run;
    return (this.#run = new TallyRun(before, this));
  }

  get outcome(): BroadcastOutcome {
    const { targets, written, refused, dropped, lost } = this;
    return Object.freeze({ targets, written, refused, dropped, lost });
  }
}

/**
 * Broadcasts that came one after the other to one connection and are reported to it in one: whoever
 * had the same ones holds the same run, so that nothing is made for each target of each.
 */
export class TallyRun {
  readonly length: number;

  constructor(
    readonly before: TallyRun | undefined,
    private readonly tally: BroadcastTally,
  ) {
    this.length = (before?.length ?? 0) + 1;
  }

  /** Counts one target of each. */
  add(outcome: SendOutcome): void {
    this.before?.add(outcome);
    this.tally.add(outcome);
  }
}
