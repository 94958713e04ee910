import { systemClock, type Clock } from './clock.js';
import type { Connection } from './connection.js';
import { ConnectionRegistry } from './connection.registry.js';
import { Heartbeat } from './heartbeat.js';
import { HookTally } from './hook-tally.js';
import { encodeJson } from './json.encoder.js';
import type { LifecycleHub } from './lifecycle.hub.js';
import type { SendTotals } from './lifecycle.observer.js';
import { Sessions } from './sessions.js';

/** A connection as it is registered. */
export interface RegisteredConnection extends Connection {
  readonly totals: SendTotals;
  /** Closing has not begun. */
  readonly live: boolean;
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
  readonly heartbeat: Heartbeat;
  readonly sessions: Sessions;
  /** The hooks that run after the end of a connection. */
  readonly hooks: HookTally;
  /** Evenly spread over [0, 1). */
  readonly random: () => number;
  /** Turns a message into what is sent; throws where it can't be. */
  readonly encode: (message: unknown) => string | Buffer;
  readonly nextId: () => string;
}

export type RuntimeParts = Pick<Runtime, 'observer' | 'nextId'> &
  Partial<Pick<Runtime, 'clock' | 'encode' | 'random' | 'connections' | 'hooks'>>;

export function createRuntime({
  clock = systemClock,
  random = Math.random,
  encode = encodeJson,
  connections = new ConnectionRegistry(),
  hooks = new HookTally(),
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
    heartbeat,
    sessions: new Sessions(),
  };
}
