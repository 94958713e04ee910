import { Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { systemClock } from '../runtime/clock.js';
import type { ConnectionPolicyValues } from '../runtime/connection.policy.js';
import { ConnectionRegistry } from '../runtime/connection.registry.js';
import { encodeJson } from '../runtime/json.encoder.js';
import { LifecycleHub } from '../runtime/lifecycle.hub.js';
import { LifecycleStatistics } from '../runtime/lifecycle.report.js';
import type { Runtime } from '../runtime/runtime.js';
import { LifecycleEvents } from './lifecycle.events.js';
import { resolveOptions, upcomingOptions } from './options.validation.js';
import { RaceLogger } from './race.logger.js';
import type { SafeCloseOptions } from './safe-close.options.js';

/** What one module holds: its checked options, the runtime of its connections, its observers. */
export interface SafeCloseEngine {
  readonly options: SafeCloseOptions;
  readonly policy: ConnectionPolicyValues;
  readonly runtime: Runtime;
  readonly statistics: LifecycleStatistics;
  readonly events: LifecycleEvents;
}

function now(): number {
  return systemClock.now();
}

export function createEngine(options: SafeCloseOptions): SafeCloseEngine {
  const policy = resolveOptions(options);
  const log = new Logger('SafeClose');
  const upcoming = upcomingOptions(options);
  if (upcoming.length > 0) log.warn(`This version does not act on: ${upcoming.join(', ')}.`);
  const statistics = new LifecycleStatistics(now());
  const logger = new RaceLogger(log, now);
  const others = new LifecycleHub(statistics, logger);
  const events = new LifecycleEvents(now, (error) => {
    others.race('listener-error', '', { message: 'A subscriber of events$ threw.', error });
  });
  const prefix = randomBytes(4).toString('hex');
  let count = 0;
  const runtime: Runtime = {
    clock: systemClock,
    observer: new LifecycleHub(statistics, logger, events),
    connections: new ConnectionRegistry(),
    encode: options.serializer ? (message) => options.serializer!.encode(message) : encodeJson,
    nextId: () => `${prefix}-${(++count).toString(36)}`,
  };
  return { options, policy, runtime, statistics, events };
}
