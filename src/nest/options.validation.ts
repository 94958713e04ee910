import { isSendableCloseCode } from '../core/close-code.js';
import { fitReason } from '../core/close-reason.js';
import { InvalidOptionsError, type OptionFault } from '../core/errors.js';
import { MAX_TIMER_MS } from '../runtime/clock.js';
import {
  DEFAULT_MAX_TOTAL_BUFFERED,
  DEFAULT_POLICY,
  type ConnectionPolicyValues,
  type HeartbeatPolicy,
} from '../runtime/connection.policy.js';
import { isAllowedOrigin } from './allowed.origins.js';
import { PLATFORM_PRESETS } from './platform.presets.js';
import { isTrust } from './proxy.trust.js';
import type { ConnectionPolicyOptions, Platform, SafeCloseOptions } from './safe-close.options.js';
import { DEFAULT_SHUTDOWN, type ShutdownValues } from './shutdown.values.js';

interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const milliseconds: Rule = {
  expected: `a whole number of milliseconds from 1 to ${MAX_TIMER_MS}`,
  accepts: (value) =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_TIMER_MS,
};
const bytes: Rule = {
  expected: 'a whole number of bytes, at least 1',
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};
const bytesOrNoLimit: Rule = {
  expected: `${bytes.expected}, or Infinity`,
  accepts: (value) => value === Infinity || bytes.accepts(value),
};
const milliseconds0: Rule = {
  expected: `a whole number of milliseconds from 0 to ${MAX_TIMER_MS}`,
  accepts: (value) => value === 0 || milliseconds.accepts(value),
};
const count: Rule = {
  expected: 'a whole number, at least 1',
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};
const perSecond: Rule = {
  expected: 'a number above 0, at most 1000000',
  accepts: (value) => typeof value === 'number' && value > 0 && value <= 1_000_000,
};
const callback: Rule = {
  expected: 'a function',
  accepts: (value) => typeof value === 'function',
};
const flag: Rule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };

function oneOf(...values: string[]): Rule {
  return {
    expected: values.map((value) => `'${value}'`).join(' or '),
    accepts: (value) => values.includes(value as string),
  };
}

type Group = Readonly<Record<string, Rule>>;

const POLICY_GROUPS: Readonly<Record<string, Group>> = {
  connect: {
    timeout: milliseconds,
    waitFor: oneOf('handleConnection', 'nothing'),
    maxPendingBytes: bytes,
  },
  send: {
    highWaterMark: bytes,
    maxBuffered: bytesOrNoLimit,
    overflow: oneOf('close', 'refuse', 'drop-oldest', 'wait'),
    acknowledge: flag,
    onUnacknowledged: callback,
  },
  close: {
    handlers: oneOf('abort', 'finish'),
    flushTimeout: milliseconds,
    handshakeTimeout: milliseconds,
    maxTimeout: milliseconds,
  },
  handlers: {
    order: oneOf('concurrent', 'serial'),
    maxInFlight: count,
    maxQueuedBytes: bytes,
    settleTimeout: milliseconds,
  },
  limits: { messagesPerSecond: perSecond },
  heartbeat: { interval: milliseconds, timeout: milliseconds },
  session: {
    maxPerIdentity: count,
    onExcess: oneOf('close-oldest', 'reject-new'),
    maxAge: milliseconds,
    expiresAt: callback,
  },
};

/** Groups of the module alone: there is one server, and one shutdown. */
const MODULE_GROUPS: Readonly<Record<string, Group>> = {
  send: { ...POLICY_GROUPS['send'], maxTotalBuffered: bytesOrNoLimit },
  limits: { ...POLICY_GROUPS['limits'], maxConnections: count, maxConnectionsPerIp: count },
  shutdown: {
    code: {
      expected: 'a close code that may be sent: 1000–1003, 1007–1014, 3000–4999',
      accepts: isSendableCloseCode,
    },
    reason: {
      expected: 'a string of at most 123 bytes of UTF-8',
      accepts: (value) => typeof value === 'string' && fitReason(value) === value,
    },
    timeout: milliseconds,
    batchSize: count,
    batchInterval: milliseconds0,
    readinessDelay: milliseconds0,
    retryAfter: milliseconds0,
    preset: oneOf(...Object.keys(PLATFORM_PRESETS)),
  },
};

const MODULE_OPTIONS: Group = {
  isGlobal: flag,
  installAdapter: flag,
  mode: oneOf('enforce', 'observe'),
  serializer: {
    expected: 'an object with the functions encode and decode',
    accepts: (value) =>
      isRecord(value) &&
      typeof value['encode'] === 'function' &&
      typeof value['decode'] === 'function',
  },
  authorize: callback,
  allowedOrigins: {
    expected:
      'an array of regular expressions and of origins such as "https://app.example", ' +
      'without path or wildcard',
    accepts: (value) => Array.isArray(value) && value.every(isAllowedOrigin),
  },
  trustProxy: {
    expected:
      'true, false, a number of hops, or an array of addresses, subnets, "loopback", ' +
      '"linklocal" and "uniquelocal"',
    accepts: isTrust,
  },
  identity: callback,
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function faultsOfGroup(name: string, group: Group, value: unknown): OptionFault[] {
  if (!isRecord(value)) {
    const or = name === 'heartbeat' ? 'false or ' : '';
    return [{ option: name, received: value, expected: `${or}an object of ${names(group)}` }];
  }
  return faultsOfEntries(value, group, names(group), `${name}.`);
}

function faultsOfEntries(
  value: Record<string, unknown>,
  rules: Group,
  known: string,
  prefix = '',
): OptionFault[] {
  return Object.entries(value).flatMap(([key, received]) => {
    const option = prefix + key;
    if (received === undefined) return [];
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (!rule) return [{ option, received, expected: `no such option; ${known} are known` }];
    return rule.accepts(received) ? [] : [{ option, received, expected: rule.expected }];
  });
}

function names(group: object): string {
  return Object.keys(group).join(', ');
}

function groupFaults(
  value: Record<string, unknown>,
  groups: Readonly<Record<string, Group>>,
): OptionFault[] {
  return Object.entries(groups).flatMap(([name, group]) => {
    const given = value[name];
    if (given === undefined || (name === 'heartbeat' && given === false)) return [];
    return faultsOfGroup(name, group, given);
  });
}

/** Where one of these is faulty itself, there is no saying whether it would fit. */
const BUDGETS: ReadonlySet<string> = new Set([
  'close',
  'close.handlers',
  'close.flushTimeout',
  'close.handshakeTimeout',
  'close.maxTimeout',
  'handlers',
  'handlers.settleTimeout',
]);

/** Budgets that can't fit into the cap they stand under. */
function budgetFaults(policy: ConnectionPolicyValues): OptionFault[] {
  const { flushTimeout, handshakeTimeout, maxTimeout, handlers } = policy.close;
  const { settleTimeout } = policy.handlers;
  const settle = handlers === 'finish' ? settleTimeout : 0;
  const sum = settle + flushTimeout + handshakeTimeout;
  if (sum <= maxTimeout) return [];
  const parts = [
    ...(settle ? [`handlers.settleTimeout ${settle}`] : []),
    `close.flushTimeout ${flushTimeout}`,
    `close.handshakeTimeout ${handshakeTimeout}`,
  ];
  return [
    {
      option: 'close.maxTimeout',
      received: maxTimeout,
      expected: `at least ${parts.join(' + ')} = ${sum}`,
    },
  ];
}

/** What is past the high-water mark alone would be past the limit. */
function bufferFaults(
  { highWaterMark, maxBuffered }: ConnectionPolicyValues['send'],
  total = Infinity,
): OptionFault[] {
  const faults: OptionFault[] = [];
  if (maxBuffered < highWaterMark) {
    const expected = `at least send.highWaterMark ${highWaterMark}`;
    faults.push({ option: 'send.maxBuffered', received: maxBuffered, expected });
  }
  if (total < highWaterMark) {
    const expected = `at least send.highWaterMark ${highWaterMark}`;
    faults.push({ option: 'send.maxTotalBuffered', received: total, expected });
  }
  return faults;
}

const BUFFERS: ReadonlySet<string> = new Set([
  'send',
  'send.highWaterMark',
  'send.maxBuffered',
  'send.maxTotalBuffered',
]);

const DEFAULT_HEARTBEAT = DEFAULT_POLICY.heartbeat as HeartbeatPolicy;

function merged<G extends object>(group: G, over: object | undefined): G {
  const given = Object.entries(over ?? {}).filter(([, value]) => value !== undefined);
  return { ...group, ...Object.fromEntries(given) };
}

/** What observing can't do. */
function modeFaults(options: Record<string, unknown>): OptionFault[] {
  const { mode, installAdapter, serializer } = options;
  const faults: OptionFault[] = [];
  if (mode === 'observe' || installAdapter === false) {
    const expected =
      "none in mode 'observe' or with installAdapter: false, where the module lets upgrades be";
    const limits = Object(options['limits']) as Record<string, unknown>;
    const given: [string, unknown][] = [
      ['authorize', options['authorize']],
      ['allowedOrigins', options['allowedOrigins']],
      ['limits.maxConnections', limits['maxConnections']],
      ['limits.maxConnectionsPerIp', limits['maxConnectionsPerIp']],
    ];
    for (const [option, received] of given) {
      if (received !== undefined) faults.push({ option, received, expected });
    }
  }
  if (mode !== 'observe') return faults;
  if (installAdapter === false) {
    const expected = "true in mode 'observe', which watches sockets of the module's own adapter";
    faults.push({ option: 'installAdapter', received: installAdapter, expected });
  }
  if (serializer !== undefined) {
    const expected = "none in mode 'observe', which leaves frames as the stock adapter makes them";
    faults.push({ option: 'serializer', received: serializer, expected });
  }
  return faults;
}

interface Drain {
  readonly preset: Platform | undefined;
  readonly shutdown: ShutdownValues;
  readonly policy: ConnectionPolicyValues;
}

/** A drain that can't fit into its own deadline, or into what the platform gives. */
function drainFaults({ preset, shutdown, policy }: Drain): OptionFault[] {
  const { timeout, readinessDelay } = shutdown;
  if (!preset) {
    if (readinessDelay < timeout) return [];
    const expected = `less than shutdown.timeout ${timeout}, of which it is a part`;
    return [{ option: 'shutdown.readinessDelay', received: readinessDelay, expected }];
  }
  const faults: OptionFault[] = [];
  const { name, grace, reserve, maxAge } = PLATFORM_PRESETS[preset];
  if (timeout > grace - reserve) {
    faults.push({
      option: 'shutdown.timeout',
      received: timeout,
      expected:
        `at most ${grace} (${name}, SIGTERM to SIGKILL) - ${reserve} (for the rest of ` +
        `app.close()) = ${grace - reserve}`,
    });
  }
  const { settleTimeout } = policy.handlers;
  const { flushTimeout, handshakeTimeout } = policy.close;
  const sum = readinessDelay + settleTimeout + flushTimeout + handshakeTimeout;
  if (sum > timeout) {
    faults.push({
      option: 'shutdown.timeout',
      received: timeout,
      expected:
        `at least shutdown.readinessDelay ${readinessDelay} + handlers.settleTimeout ` +
        `${settleTimeout} + close.flushTimeout ${flushTimeout} + close.handshakeTimeout ` +
        `${handshakeTimeout} = ${sum}`,
    });
  }
  const age = policy.session.maxAge;
  if (maxAge !== undefined && age !== undefined && age >= maxAge) {
    const expected = `less than ${maxAge}, after which ${name} cuts a connection itself`;
    faults.push({ option: 'session.maxAge', received: age, expected });
  }
  return faults;
}

/** Puts options over a policy; later ones win. */
export function withOptions(
  base: ConnectionPolicyValues,
  options: ConnectionPolicyOptions,
): ConnectionPolicyValues {
  return {
    connect: merged(base.connect, options.connect),
    send: merged(base.send, options.send),
    close: merged(base.close, options.close),
    handlers: merged(base.handlers, options.handlers),
    heartbeat:
      options.heartbeat === false || (base.heartbeat === false && !options.heartbeat)
        ? false
        : merged(base.heartbeat || DEFAULT_HEARTBEAT, options.heartbeat),
    session: merged(base.session, options.session),
    limits: merged(base.limits, options.limits),
  };
}

interface Checked {
  readonly faults: OptionFault[];
  readonly policy: ConnectionPolicyValues;
}

function checked(
  origin: string,
  options: unknown,
  rules: Group,
  groups: Readonly<Record<string, Group>>,
  base: ConnectionPolicyValues,
): Checked {
  if (!isRecord(options)) {
    throw new InvalidOptionsError(origin, [
      { option: 'options', received: options, expected: 'an object' },
    ]);
  }
  const own = Object.fromEntries(
    Object.entries(options).filter(([key]) => !Object.hasOwn(groups, key)),
  );
  const known = names({ ...rules, ...groups });
  const faults = [...faultsOfEntries(own, rules, known), ...groupFaults(options, groups)];
  const policy = withOptions(base, options);
  if (!faults.some(({ option }) => BUDGETS.has(option))) faults.push(...budgetFaults(policy));
  if (!faults.some(({ option }) => BUFFERS.has(option))) {
    const { send } = options as SafeCloseOptions;
    faults.push(...bufferFaults(policy.send, send?.maxTotalBuffered));
  }
  return { faults, policy };
}

/** What the options of a module come to, with every default applied. */
export interface ResolvedOptions {
  readonly policy: ConnectionPolicyValues;
  readonly shutdown: ShutdownValues;
  readonly maxTotalBuffered: number;
}

/** Checks all options at once, and applies the defaults. Throws one error with every fault. */
export function resolveOptions(options: SafeCloseOptions): ResolvedOptions {
  const origin = 'SafeCloseModule.forRoot()';
  const { preset } = Object(Object(options).shutdown) as { preset?: Platform };
  const known = preset !== undefined && Object.hasOwn(PLATFORM_PRESETS, preset);
  const defaults = known ? PLATFORM_PRESETS[preset].defaults : { shutdown: {} };
  const base = withOptions(DEFAULT_POLICY, defaults);
  const groups = { ...POLICY_GROUPS, ...MODULE_GROUPS };
  const { faults, policy } = checked(origin, options, MODULE_OPTIONS, groups, base);
  const shutdown = merged(merged(DEFAULT_SHUTDOWN, defaults.shutdown), options.shutdown);
  const budgets = [...BUDGETS, 'shutdown', 'shutdown.timeout', 'shutdown.readinessDelay'];
  if (!faults.some(({ option }) => budgets.includes(option))) {
    faults.push(...drainFaults({ preset: known ? preset : undefined, shutdown, policy }));
  }
  faults.push(...modeFaults(options as Record<string, unknown>));
  if (faults.length > 0) throw new InvalidOptionsError(origin, faults);
  const { maxTotalBuffered = DEFAULT_MAX_TOTAL_BUFFERED } = options.send ?? {};
  return { policy, shutdown, maxTotalBuffered };
}

/** What is wrong with options of `drain()`. */
export function shutdownFaults(options: unknown): OptionFault[] {
  const group = MODULE_GROUPS['shutdown']!;
  if (!isRecord(options)) return [{ option: 'options', received: options, expected: 'an object' }];
  return faultsOfEntries(options, group, names(group));
}

/** The same for `@ConnectionPolicy()` of one gateway, over the module's. */
export function resolvePolicy(
  gateway: string,
  options: ConnectionPolicyOptions,
  base: ConnectionPolicyValues,
): ConnectionPolicyValues {
  const origin = `@ConnectionPolicy() of ${gateway}`;
  const { faults, policy } = checked(origin, options, {}, POLICY_GROUPS, base);
  if (faults.length > 0) throw new InvalidOptionsError(origin, faults);
  return policy;
}
