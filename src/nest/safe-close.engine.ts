import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BufferBudget } from '../runtime/buffer-budget.js';
import { systemClock } from '../runtime/clock.js';
import type { ConnectionPolicyValues } from '../runtime/connection.policy.js';
import { ConnectionRegistry } from '../runtime/connection.registry.js';
import { Drain } from '../runtime/drain.js';
import { HookTally } from '../runtime/hook-tally.js';
import { LifecycleHub } from '../runtime/lifecycle.hub.js';
import { LifecycleStatistics } from '../runtime/lifecycle.report.js';
import { createRuntime, type RegisteredConnection, type Runtime } from '../runtime/runtime.js';
import { connectionLimits } from './connection.limits.js';
import { Goodbyes } from './goodbyes.js';
import { LifecycleEvents } from './lifecycle.events.js';
import { resolveOptions } from './options.validation.js';
import { clientAddress } from './proxy.trust.js';
import { RaceLogger } from './race.logger.js';
import type { SafeCloseOptions } from './safe-close.options.js';
import { Shutdown } from './shutdown.js';
import { UpgradeGate } from './upgrade-gate.js';

/** What one module holds: its checked options, the runtime of its connections, its observers. */
export interface SafeCloseEngine {
  readonly options: SafeCloseOptions;
  readonly policy: ConnectionPolicyValues;
  readonly runtime: Runtime;
  readonly statistics: LifecycleStatistics;
  readonly events: LifecycleEvents;
  readonly goodbyes: Goodbyes;
  readonly drain: Shutdown;
  readonly gate: UpgradeGate;
  /** The client's address, by `trustProxy`. */
  readonly addressOf: (request: IncomingMessage) => string;
}

function now(): number {
  return systemClock.now();
}

export function createEngine(options: SafeCloseOptions): SafeCloseEngine {
  const { policy, shutdown, maxTotalBuffered } = resolveOptions(options);
  const log = new Logger('SafeClose');
  const statistics = new LifecycleStatistics(now());
  const logger = new RaceLogger(log, now);
  const others = new LifecycleHub(statistics, logger);
  const events = new LifecycleEvents(now, (error) => {
    others.race('listener-error', '', { message: 'A subscriber of events$ threw.', error });
  });
  const prefix = randomBytes(4).toString('hex');
  let count = 0;
  const { serializer } = options;
  const connections = new ConnectionRegistry<RegisteredConnection>();
  const hooks = new HookTally();
  const goodbyes = new Goodbyes((connectionId, detail) => {
    runtime.observer.race('hook-rejection', connectionId, detail);
  });
  const addressOf = clientAddress(options.trustProxy ?? false);
  const gate = new UpgradeGate({
    limits: connectionLimits(options.limits, addressOf),
    clock: systemClock,
    retryAfter: shutdown.retryAfter,
    authorize: options.authorize,
    allowedOrigins: options.allowedOrigins,
    tell: (race, detail) => runtime.observer.race(race, '', detail),
  });
  const drain = new Drain({
    clock: systemClock,
    connections,
    hooks,
    random: Math.random,
    host: {
      refuseUpgrades: () => gate.refuse(),
      goodbye: (connection) => goodbyes.say(connection),
    },
  });
  const runtime = createRuntime({
    observer: new LifecycleHub(statistics, logger, events, drain),
    connections,
    hooks,
    buffers: new BufferBudget(maxTotalBuffered),
    ...(serializer && { encode: (message) => serializer.encode(message) }),
    nextId: () => `${prefix}-${(++count).toString(36)}`,
  });
  return {
    options,
    policy,
    runtime,
    statistics,
    events,
    goodbyes,
    drain: new Shutdown(drain, runtime, shutdown),
    gate,
    addressOf,
  };
}
