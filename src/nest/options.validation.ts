import { InvalidOptionsError, type OptionFault } from '../core/errors.js';
import { MAX_TIMER_MS } from '../runtime/clock.js';
import { DEFAULT_POLICY, type ConnectionPolicyValues } from '../runtime/connection.policy.js';
import type { ConnectionPolicyOptions, SafeCloseOptions } from './safe-close.options.js';

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
const flag: Rule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };

function oneOf(...values: string[]): Rule {
  return {
    expected: values.map((value) => `'${value}'`).join(' or '),
    accepts: (value) => values.includes(value as string),
  };
}

type Group = Readonly<Record<string, Rule>>;

/** Names kept for later versions: harmless today, and told at boot rather than refused. */
const UPCOMING: ReadonlySet<string> = new Set([
  'authorize',
  'allowedOrigins',
  'trustProxy',
  'heartbeat',
  'identity',
  'session',
  'shutdown',
  'limits',
  'send.maxBuffered',
  'send.overflow',
  'send.maxTotalBuffered',
  'send.onUnacknowledged',
  'handlers.order',
  'handlers.maxInFlight',
  'handlers.maxQueuedBytes',
]);

const POLICY_GROUPS: Readonly<Record<string, Group>> = {
  connect: {
    timeout: milliseconds,
    waitFor: oneOf('handleConnection', 'nothing'),
    maxPendingBytes: bytes,
  },
  send: { highWaterMark: bytes, acknowledge: flag },
  close: {
    handlers: oneOf('abort', 'finish'),
    flushTimeout: milliseconds,
    handshakeTimeout: milliseconds,
    maxTimeout: milliseconds,
  },
  handlers: { settleTimeout: milliseconds },
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
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function faultsOfGroup(name: string, group: Group, value: unknown): OptionFault[] {
  if (!isRecord(value)) {
    return [{ option: name, received: value, expected: `an object of ${names(group)}` }];
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
    if (received === undefined || UPCOMING.has(option)) return [];
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (!rule) return [{ option, received, expected: `no such option; ${known} are known` }];
    return rule.accepts(received) ? [] : [{ option, received, expected: rule.expected }];
  });
}

function names(group: object): string {
  return Object.keys(group).join(', ');
}

function policyFaults(value: Record<string, unknown>): OptionFault[] {
  return Object.entries(POLICY_GROUPS).flatMap(([name, group]) =>
    value[name] === undefined ? [] : faultsOfGroup(name, group, value[name]),
  );
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

function merged<G extends object>(group: G, over: object | undefined): G {
  const given = Object.entries(over ?? {}).filter(([, value]) => value !== undefined);
  return { ...group, ...Object.fromEntries(given) };
}

/** What observing can't do. */
function modeFaults({ mode, installAdapter, serializer }: Record<string, unknown>): OptionFault[] {
  if (mode !== 'observe') return [];
  const faults: OptionFault[] = [];
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
  };
}

function checked(
  origin: string,
  options: unknown,
  rules: Group,
  base: ConnectionPolicyValues,
): ConnectionPolicyValues {
  if (!isRecord(options)) {
    throw new InvalidOptionsError(origin, [
      { option: 'options', received: options, expected: 'an object' },
    ]);
  }
  const own = Object.fromEntries(
    Object.entries(options).filter(([key]) => !Object.hasOwn(POLICY_GROUPS, key)),
  );
  const known = names({ ...rules, ...POLICY_GROUPS });
  const faults = [...faultsOfEntries(own, rules, known), ...policyFaults(options)];
  const policy = withOptions(base, options);
  if (!faults.some(({ option }) => BUDGETS.has(option))) faults.push(...budgetFaults(policy));
  faults.push(...modeFaults(options));
  if (faults.length > 0) throw new InvalidOptionsError(origin, faults);
  return policy;
}

/** Checks all options at once, and applies the defaults. Throws one error with every fault. */
export function resolveOptions(options: SafeCloseOptions): ConnectionPolicyValues {
  return checked('SafeCloseModule.forRoot()', options, MODULE_OPTIONS, DEFAULT_POLICY);
}

/** The same for `@ConnectionPolicy()` of one gateway, over the module's. */
export function resolvePolicy(
  gateway: string,
  options: ConnectionPolicyOptions,
  base: ConnectionPolicyValues,
): ConnectionPolicyValues {
  return checked(`@ConnectionPolicy() of ${gateway}`, options, {}, base);
}

/** Options given that this version does not act on. */
export function upcomingOptions(options: SafeCloseOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    if (UPCOMING.has(name)) return [name];
    return isRecord(value)
      ? Object.keys(value)
          .map((key) => `${name}.${key}`)
          .filter((option) => UPCOMING.has(option))
      : [];
  });
}
