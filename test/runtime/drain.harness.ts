import { ConnectionRegistry } from '../../src/runtime/connection.registry.js';
import { Drain, type DrainReport, type DrainSettings } from '../../src/runtime/drain.js';
import { HookTally } from '../../src/runtime/hook-tally.js';
import { LifecycleHub } from '../../src/runtime/lifecycle.hub.js';
import { Owner } from '../../src/runtime/owner.js';
import { createRuntime, type RegisteredConnection } from '../../src/runtime/runtime.js';
import type { FakePeer } from '../support/fakes/fake.peer.js';
import type { FakePort } from '../support/fakes/fake.port.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';
import { TaskQueue } from '../support/fakes/task.queue.js';
import { policyOf, type PolicyPart } from '../support/policy.js';
import { Told } from './harness.js';

export interface Client {
  readonly owner: Owner;
  readonly port: FakePort;
  readonly peer: FakePeer;
}

/** Several connections on one clock, and their drain. */
export class DrainedServer {
  readonly clock = new ManualClock();
  readonly io = new TaskQueue();
  readonly told = new Told();
  readonly hooks = new HookTally();
  readonly connections = new ConnectionRegistry<RegisteredConnection>();
  readonly steps: string[] = [];
  goodbye: (connection: RegisteredConnection) => void | Promise<unknown> = () => {};
  random = 0.5;
  refused = false;
  report: DrainReport | undefined;
  readonly drain: Drain;
  readonly #runtime: ReturnType<typeof createRuntime>;
  #ids = 0;

  constructor() {
    this.drain = new Drain({
      clock: this.clock,
      connections: this.connections,
      hooks: this.hooks,
      random: () => this.random,
      host: {
        refuseUpgrades: () => (this.refused = true),
        goodbye: (connection) => this.goodbye(connection),
      },
    });
    this.drain.onProgress = () => this.steps.push(this.drain.phase);
    this.#runtime = createRuntime({
      clock: this.clock,
      observer: new LifecycleHub(this.told, this.drain),
      connections: this.connections,
      hooks: this.hooks,
      random: () => this.random,
      nextId: () => String(++this.#ids),
    });
  }

  connect(policy: PolicyPart = {}): Client {
    const { port, peer } = createSocketPair({
      schedule: this.io.schedule,
      kernelBuffer: 64 * 1024,
    });
    const owner = new Owner(this.#runtime, port, policyOf(policy));
    port.listener = owner;
    return { owner, port, peer };
  }

  begin(settings: Partial<DrainSettings> = {}): Promise<DrainReport> {
    const report = this.drain.begin({
      code: 1001,
      reason: 'bye',
      timeout: 10_000,
      readinessDelay: 0,
      batchSize: 1_000,
      batchInterval: 200,
      ...settings,
    });
    void report.then((settled) => (this.report = settled));
    return report;
  }

  /** Ends the macrotask, and lets the sockets do what they do on their own. */
  async turn(): Promise<void> {
    do {
      this.clock.endMacrotask();
      this.io.run();
      // Hooks begin, and promises settle, within the macrotask.
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => void setImmediate(resolve));
    } while (this.clock.pendingMacrotask > 0);
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.turn();
  }
}
