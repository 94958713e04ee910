import type { CloseOutcome } from '../../src/core/outcomes.js';
import type { RaceKind } from '../../src/core/races.js';
import { BufferBudget } from '../../src/runtime/buffer-budget.js';
import { ConnectionRegistry } from '../../src/runtime/connection.registry.js';
import { encodeJson } from '../../src/runtime/json.encoder.js';
import { LifecycleHub } from '../../src/runtime/lifecycle.hub.js';
import type { LifecycleObserver, RaceDetail } from '../../src/runtime/lifecycle.observer.js';
import type { SendTotals } from '../../src/runtime/send-totals.js';
import { Owner } from '../../src/runtime/owner.js';
import {
  createRuntime,
  type RegisteredConnection,
  type Runtime,
} from '../../src/runtime/runtime.js';
import type { FakePeer } from '../support/fakes/fake.peer.js';
import type { FakePort } from '../support/fakes/fake.port.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { policyOf, type PolicyPart } from '../support/policy.js';
import type { UnacknowledgedMessage } from '../../src/runtime/unacknowledged.js';
import { createSocketPair, type SocketPairOptions } from '../support/fakes/socket.pair.js';
import { TaskQueue } from '../support/fakes/task.queue.js';

/** Writes down what is told of a connection. */
export class Told implements LifecycleObserver {
  /** All of it in order: `opened`, `ready`, `closing`, `closed`, and the kinds of races. */
  readonly log: string[] = [];
  readonly races: { readonly kind: RaceKind; readonly detail: RaceDetail }[] = [];
  readonly outcomes: CloseOutcome[] = [];
  totals: SendTotals | undefined;
  handedBack: readonly UnacknowledgedMessage[] = [];
  /** Called with each line, in the middle of whatever it tells of. */
  during: (line: string) => void = () => {};

  /** The outcome of a connection that has ended. */
  get outcome(): CloseOutcome | undefined {
    return this.outcomes[0];
  }

  met(kind: RaceKind): number {
    return this.races.filter((race) => race.kind === kind).length;
  }

  detail(kind: RaceKind): RaceDetail | undefined {
    return this.races.find((race) => race.kind === kind)?.detail;
  }

  opened(): void {
    this.#tell('opened');
  }

  ready(): void {
    this.#tell('ready');
  }

  closing(): void {
    this.#tell('closing');
  }

  unacknowledged(_connectionId: string, messages: readonly UnacknowledgedMessage[]): void {
    this.handedBack = messages;
  }

  closed(outcome: CloseOutcome, totals: SendTotals): void {
    this.outcomes.push(outcome);
    this.totals = totals;
    this.#tell('closed');
  }

  race(kind: RaceKind, _connectionId: string, detail: RaceDetail): void {
    this.races.push({ kind, detail });
    this.#tell(kind);
  }

  #tell(line: string): void {
    this.log.push(line);
    this.during(line);
  }
}

export interface ConnectOptions {
  readonly policy?: PolicyPart;
  /** Bytes between the two ends, each way. */
  readonly kernelBuffer?: number;
  /** Bytes that all connections together may hold for their peers. */
  readonly maxTotalBuffered?: number;
  /** The opening handshake of the socket has not ended. */
  readonly connecting?: boolean;
  /** All messages of a tick are reported in one. */
  readonly batching?: SocketPairOptions['batching'];
  readonly encode?: Runtime['encode'];
  /** Observers beside `told`, which come after it. */
  readonly observers?: readonly LifecycleObserver[];
  /** Called as the connection is told of, while its owner is still being made. */
  readonly onOpened?: (connected: Connected) => void;
}

export class Connected {
  readonly clock = new ManualClock();
  readonly io = new TaskQueue();
  readonly told = new Told();
  readonly connections = new ConnectionRegistry<RegisteredConnection>();
  readonly port: FakePort;
  readonly peer: FakePeer;
  readonly owner: Owner;
  readonly runtime: Runtime;

  constructor({
    policy,
    kernelBuffer = 64 * 1024,
    maxTotalBuffered = Infinity,
    connecting = false,
    batching = false,
    encode = encodeJson,
    observers = [],
    onOpened,
  }: ConnectOptions = {}) {
    ({ port: this.port, peer: this.peer } = createSocketPair({
      schedule: this.io.schedule,
      kernelBuffer,
      connecting,
      batching,
    }));
    this.told.during = (line) => {
      if (line === 'opened') onOpened?.(this);
    };
    let ids = 0;
    this.runtime = createRuntime({
      clock: this.clock,
      observer: new LifecycleHub(this.told, ...observers),
      connections: this.connections,
      buffers: new BufferBudget(maxTotalBuffered),
      random: () => 0.5,
      encode,
      nextId: () => String(++ids),
    });
    this.owner = new Owner(this.runtime, this.port, policyOf(policy));
    this.port.listener = this.owner;
  }

  /** Ends the macrotask, and lets the sockets do what they do on their own. */
  turn(): void {
    do {
      this.clock.endMacrotask();
      this.io.run();
    } while (this.clock.pendingMacrotask > 0);
  }

  /**
   * Lets time pass until the connection has ended, while nobody does anything but the sockets and
   * the timers; returns how long that took.
   */
  untilEnd(): number {
    const since = this.clock.monotonic();
    for (;;) {
      this.turn();
      if (this.told.outcome) return this.clock.monotonic() - since;
      const next = this.clock.nextTimerIn;
      if (next === undefined) throw new Error('Nothing is left that could end the connection.');
      this.clock.advance(next);
    }
  }

  /** Messages of the peer start this handler. */
  handleBy(handler: (data: string) => unknown): void {
    const { owner } = this;
    const { order } = owner.policy.handlers;
    owner.dispatchTo({
      dispatch: (data) => {
        const run = (): unknown => handler((data as Buffer).toString());
        if (order === 'concurrent' && owner.unhindered) owner.calls.run(run, undefined, 'event');
        else {
          owner.takeTurn({ order }, (data as Buffer).length, (call) => {
            owner.calls.run(run, undefined, 'event', call);
          });
        }
      },
    });
  }
}

export function connect(options?: ConnectOptions): Connected {
  return new Connected(options);
}

/** One more turn of the real event loop, for promises. */
export function microtasks(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** A promise, and what settles it. */
export interface Deferred {
  readonly promise: Promise<unknown>;
  readonly resolve: (value?: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred(): Deferred {
  let resolve!: Deferred['resolve'];
  let reject!: Deferred['reject'];
  const promise = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
