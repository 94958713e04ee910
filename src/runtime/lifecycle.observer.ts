import type { CloseOutcome } from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import type { SendTotals } from './send-totals.js';
import type { UnacknowledgedMessage } from './unacknowledged.js';

/** Told of everything; must be quick. What it throws is caught, and told to the others. */
export interface LifecycleObserver {
  opened(connectionId: string): void;
  ready(connectionId: string): void;
  closing(connectionId: string): void;
  closed(outcome: CloseOutcome, sends: SendTotals): void;
  /** Directly after `closed`, and only where there are some. */
  unacknowledged?(connectionId: string, messages: readonly UnacknowledgedMessage[]): void;
  /** `connectionId` is empty where no connection is concerned. */
  race(kind: RaceKind, connectionId: string, detail: RaceDetail): void;
}

export interface RaceDetail {
  /** What happened, for a person, and how to mend it where it can be. */
  readonly message?: string;
  readonly error?: unknown;
}
