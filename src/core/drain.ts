/**
 * The phases of a server that shuts down.
 *
 * - `serving`: nobody drains
 * - `unready`: readiness is reported down; everything still works, so that load balancers learn
 *   of it before a client meets a refusal
 * - `closing`: upgrades are refused, no new message starts a handler, and connections are asked to
 *   close, batch by batch
 * - `waiting`: all were asked; their ends and the hooks after them are awaited
 * - `terminating`: the deadline has passed, what was left is destroyed; the hooks get the reserve
 * - `drained`: nothing is waited for any more
 */
export type DrainPhase = 'serving' | 'unready' | 'closing' | 'waiting' | 'terminating' | 'drained';

export type DrainEvent =
  | { readonly type: 'begun'; readonly delayed: boolean }
  /** `readinessDelay` is over. */
  | { readonly type: 'delayOver' }
  /** A batch was asked to close. `unasked`: connections are left that were not. */
  | { readonly type: 'batchAsked'; readonly unasked: boolean; readonly busy: boolean }
  | { readonly type: 'intervalOver' }
  /** A connection was made all the same, such as by a handshake that had passed the gate. */
  | { readonly type: 'opened' }
  /** A connection or a hook has ended. `busy`: others have not. */
  | { readonly type: 'ended'; readonly busy: boolean }
  /** A second signal: there is less time than was thought. */
  | { readonly type: 'hurried' }
  | { readonly type: 'deadline'; readonly busy: boolean }
  /** The time kept for the hooks of what the deadline destroyed is over. */
  | { readonly type: 'reserveOver' };

export type DrainEffect =
  | 'report-unready'
  | 'start-deadline'
  /** There is less time: start the deadline anew, and clamp every close under it. */
  | 'shorten-deadline'
  | 'start-delay'
  | 'refuse-upgrades'
  | 'stop-dispatch'
  /** Ask the next connections to close, then report `batchAsked`. */
  | 'ask-batch'
  | 'start-interval'
  | 'ask-all'
  | 'terminate-rest'
  | 'start-reserve'
  | 'stop-timers'
  | 'finish';

export interface DrainRow {
  readonly from: readonly DrainPhase[];
  readonly on: DrainEvent['type'];
  /** A field of the event that must be true. */
  readonly when?: 'delayed' | 'unasked' | 'busy';
  readonly to?: DrainPhase;
  readonly effects?: readonly DrainEffect[];
}

const UNDER_WAY = ['unready', 'closing', 'waiting'] as const;
const ENDING = ['closing', 'waiting', 'terminating'] as const;
const CLOSE = ['refuse-upgrades', 'stop-dispatch', 'ask-batch'] as const;
const FINISH = ['stop-timers', 'finish'] as const;

/** The whole of a drained shutdown (G10); the first row whose condition holds applies. */
export const DRAIN_TABLE: readonly DrainRow[] = [
  {
    from: ['serving'],
    on: 'begun',
    when: 'delayed',
    to: 'unready',
    effects: ['report-unready', 'start-deadline', 'start-delay'],
  },
  {
    from: ['serving'],
    on: 'begun',
    to: 'closing',
    effects: ['report-unready', 'start-deadline', ...CLOSE],
  },
  { from: ['unready'], on: 'delayOver', to: 'closing', effects: CLOSE },

  { from: ['closing'], on: 'batchAsked', when: 'unasked', effects: ['start-interval'] },
  { from: ['closing'], on: 'batchAsked', when: 'busy', to: 'waiting' },
  { from: ['closing'], on: 'batchAsked', to: 'drained', effects: FINISH },
  { from: ['closing'], on: 'intervalOver', effects: ['ask-batch'] },
  { from: ['waiting'], on: 'opened', to: 'closing', effects: ['ask-batch'] },

  { from: ENDING, on: 'ended', when: 'busy' },
  { from: ENDING, on: 'ended', to: 'drained', effects: FINISH },

  {
    from: ['unready'],
    on: 'hurried',
    to: 'closing',
    effects: ['shorten-deadline', 'refuse-upgrades', 'stop-dispatch', 'ask-all'],
  },
  { from: ['closing'], on: 'hurried', effects: ['shorten-deadline', 'ask-all'] },
  { from: ['waiting'], on: 'hurried', effects: ['shorten-deadline'] },
  {
    from: UNDER_WAY,
    on: 'deadline',
    when: 'busy',
    to: 'terminating',
    effects: ['refuse-upgrades', 'stop-dispatch', 'start-reserve', 'terminate-rest'],
  },
  {
    from: UNDER_WAY,
    on: 'deadline',
    to: 'drained',
    effects: ['refuse-upgrades', 'stop-dispatch', ...FINISH],
  },
  { from: ['terminating'], on: 'reserveOver', to: 'drained', effects: FINISH },

  // What slipped through all the same is closed like the rest; nobody waits for it any more.
  { from: ['terminating'], on: 'opened', effects: ['terminate-rest'] },
  { from: ['drained'], on: 'opened', effects: ['ask-all'] },
];

export interface DrainStep {
  readonly phase: DrainPhase;
  readonly effects: readonly DrainEffect[];
}

const NO_EFFECTS: readonly DrainEffect[] = [];

/** Builds the transition function of a table, so that a test can run altered rules. */
export function drainTransitionOf(
  table: readonly DrainRow[],
): (phase: DrainPhase, event: DrainEvent) => DrainStep {
  return (phase, event) => {
    const row = table.find(
      ({ from, on, when }) =>
        from.includes(phase) &&
        on === event.type &&
        (when === undefined || (event as Readonly<Record<string, unknown>>)[when] === true),
    );
    return { phase: row?.to ?? phase, effects: row?.effects ?? NO_EFFECTS };
  };
}

/** What an event makes of the drain. An event that a phase does not expect changes nothing. */
export const drainTransition = drainTransitionOf(DRAIN_TABLE);
