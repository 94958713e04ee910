import type { CloseOutcome } from '../core/outcomes.js';
import type { BroadcastTarget } from './broadcast.js';
import { BufferBudget } from './buffer-budget.js';
import { systemClock, type Clock } from './clock.js';
import type { CloseOptions, Connection } from './connection.js';
import { DEFAULT_MAX_TOTAL_BUFFERED } from './connection.policy.js';
import { ConnectionRegistry } from './connection.registry.js';
import { Heartbeat } from './heartbeat.js';
import { HookTally } from './hook-tally.js';
import { encodeJson } from './json.encoder.js';
import type { LifecycleHub } from './lifecycle.hub.js';
import type { SendTotals } from './send-totals.js';
import { Rooms } from './rooms.js';
import { Sessions } from './sessions.js';

export type SettleClose = (outcome: CloseOutcome) => void;

/** A connection as it is registered. */
export interface RegisteredConnection extends Connection, BroadcastTarget {
  readonly totals: SendTotals;
  /** Closing has not begun. */
  readonly live: boolean;
  /** As `close`, without a promise; `settle`, if given, is called exactly once. */
  submitClose(code?: number, reason?: string, options?: CloseOptions, settle?: SettleClose): void;
  /** From now on no message of the peer starts a handler. */
  stopDispatch(): void;
  /** No close of it may last beyond `at`, by the monotonic clock. */
  endBy(at: number): void;
}

/** What all connections of one module share. */
export interface Runtime {
  readonly clock: Clock;
  readonly observer: LifecycleHub;
  readonly connections: ConnectionRegistry<RegisteredConnection>;
  readonly rooms: Rooms<RegisteredConnection>;
  /** Who has which connections, as if an identity were a room. */
  readonly identities: Rooms<RegisteredConnection>;
  readonly heartbeat: Heartbeat;
  readonly sessions: Sessions;
  /** What all of them hold for their peers. */
  readonly buffers: BufferBudget;
  /** The hooks that run after the end of a connection. */
  readonly hooks: HookTally;
  /** Evenly spread over [0, 1). */
  readonly random: () => number;
  /** Turns a message into what is sent; throws where it can't be. */
  readonly encode: (message: unknown) => string | Buffer;
  readonly nextId: () => string;
}

export type RuntimeParts = Pick<Runtime, 'observer' | 'nextId'> &
  Partial<Pick<Runtime, 'clock' | 'encode' | 'random' | 'connections' | 'hooks' | 'buffers'>>;

export function createRuntime({
  clock = systemClock,
  random = Math.random,
  encode = encodeJson,
  connections = new ConnectionRegistry(),
  hooks = new HookTally(),
  buffers = new BufferBudget(DEFAULT_MAX_TOTAL_BUFFERED),
  ...parts
}: RuntimeParts): Runtime {
  const heartbeat = new Heartbeat(clock, random);
  return {
    ...parts,
    clock,
    random,
    encode,
    connections,
    hooks,
    buffers,
    rooms: new Rooms(),
    identities: new Rooms(),
    heartbeat,
    sessions: new Sessions(),
  };
}
