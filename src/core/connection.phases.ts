/** What users see of a connection. */
export type ConnectionState = 'connecting' | 'open' | 'draining' | 'closing' | 'closed';

/**
 * What the transition table distinguishes: the states, and the steps of the two that have some.
 *
 * - `draining.macrotask`: closing has begun; what is sent in the same macrotask still goes out
 * - `draining.handlers`: handlers in flight may finish and reply
 * - `draining.flush`: nothing more is accepted; what was accepted is being written
 * - `closing.handshake`: our close frame is written; the peer's is awaited
 * - `closing.end`: no frame is awaited any more; the end of the socket is
 * - `closing.terminate`: the socket was destroyed; its end is awaited
 */
export const PHASES = [
  'connecting',
  'open',
  'draining.macrotask',
  'draining.handlers',
  'draining.flush',
  'closing.handshake',
  'closing.end',
  'closing.terminate',
  'closed',
] as const;

export type Phase = (typeof PHASES)[number];

/** A timer of a connection; its expiry is an event of the table. */
export type TimerName = 'ready' | 'settle' | 'flush' | 'handshake';

interface PhaseFacts {
  readonly state: ConnectionState;
  /** The timer that bounds this phase, started on entry and stopped on leaving it. */
  readonly timer?: TimerName;
  /** Whether the hard cap on the whole close runs. */
  readonly capped: boolean;
  /** Whether a message may be accepted for sending. */
  readonly accepts: boolean;
  /** Whether a message from the peer may start a handler. */
  readonly dispatches: boolean;
}

/** What holds in each phase, so that no code needs to remember it (G5, G7, G8). */
export const PHASE_FACTS: Readonly<Record<Phase, PhaseFacts>> = {
  connecting: {
    state: 'connecting',
    timer: 'ready',
    capped: false,
    accepts: true,
    dispatches: false,
  },
  open: { state: 'open', capped: false, accepts: true, dispatches: true },
  'draining.macrotask': { state: 'draining', capped: true, accepts: true, dispatches: false },
  'draining.handlers': {
    state: 'draining',
    timer: 'settle',
    capped: true,
    accepts: true,
    dispatches: false,
  },
  'draining.flush': {
    state: 'draining',
    timer: 'flush',
    capped: true,
    accepts: false,
    dispatches: false,
  },
  'closing.handshake': {
    state: 'closing',
    timer: 'handshake',
    capped: true,
    accepts: false,
    dispatches: false,
  },
  'closing.end': {
    state: 'closing',
    timer: 'handshake',
    capped: true,
    accepts: false,
    dispatches: false,
  },
  'closing.terminate': {
    state: 'closing',
    timer: 'handshake',
    capped: false,
    accepts: false,
    dispatches: false,
  },
  closed: { state: 'closed', capped: false, accepts: false, dispatches: false },
};
