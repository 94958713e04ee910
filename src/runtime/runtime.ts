import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import type { ConnectionRegistry } from './connection.registry.js';
import type { LifecycleHub } from './lifecycle.hub.js';
import type { SendTotals } from './lifecycle.observer.js';

/** A connection as it is registered. */
export interface RegisteredConnection extends Connection {
  readonly totals: SendTotals;
}

/** What all connections of one module share. */
export interface Runtime {
  readonly clock: Clock;
  readonly observer: LifecycleHub;
  readonly connections: ConnectionRegistry<RegisteredConnection>;
  /** Turns a message into what is sent; throws where it can't be. */
  readonly encode: (message: unknown) => string | Buffer;
  readonly nextId: () => string;
}
