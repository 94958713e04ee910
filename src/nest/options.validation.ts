import { InvalidOptionsError, type OptionFault } from '../core/errors.js';
import { DEFAULT_POLICY, type ConnectionPolicyValues } from '../runtime/connection.policy.js';
import type { ConnectionPolicyOptions, SafeCloseOptions } from './safe-close.options.js';

interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** The longest that a Node timer waits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

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
  return faultsOfEntries(value, group, `${name}.`);
}

function faultsOfEntries(
  value: Record<string, unknown>,
  rules: Group,
  prefix: string,
): OptionFault[] {
  return Object.entries(value).flatMap(([key, received]) => {
    if (received === undefined) return [];
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    const option = prefix + key;
    if (!rule) return [{ option, received, expected: `no such option; ${names(rules)} are known` }];
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
  const faults = [...faultsOfEntries(own, rules, ''), ...policyFaults(options)].map((fault) =>
    fault.expected.startsWith('no such option') && !fault.option.includes('.')
      ? {
          ...fault,
          expected: `no such option; ${names({ ...rules, ...POLICY_GROUPS })} are known`,
        }
      : fault,
  );
  const policy = withOptions(base, options);
  if (!faults.some(({ option }) => BUDGETS.has(option))) faults.push(...budgetFaults(policy));
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
