import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import * as exported from 'nestjs-safe-close';

/** The names of `export type {…}` and `export { type … }`, which are gone when the code runs. */
function exportedTypes(): string[] {
  const source = readFileSync(new URL('../src/index.ts', import.meta.url), 'utf8');
  return [...source.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, isType, list]) =>
    list!
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && (isType !== undefined || name.startsWith('type ')))
      .map((name) => name.replace('type ', '')),
  );
}

test('The package exports these values and no others', () => {
  expect(Object.keys(exported).toSorted()).toEqual([
    'Concurrent',
    'Conflate',
    'ConnectionClosingError',
    'ConnectionLifecycleInterceptor',
    'ConnectionPolicy',
    'ConnectionRejectedException',
    'ConnectionSignal',
    'CurrentConnection',
    'InvalidOptionsError',
    'RACE_KINDS',
    'RACE_LEVELS',
    'REFUSAL_CAUSES',
    'SafeCloseError',
    'SafeCloseModule',
    'SafeCloseService',
    'SafeCloseWsAdapter',
    'Serial',
    'SetupError',
    'inStep',
  ]);
});

test('The package exports these types and no others', () => {
  expect(exportedTypes().toSorted()).toEqual([
    'Authorize',
    'BroadcastOutcome',
    'Client',
    'CloseOptions',
    'CloseOutcome',
    'CloseRequestRecord',
    'CloseSummary',
    'CloseTimes',
    'ConflationKey',
    'Connection',
    'ConnectionPolicyOptions',
    'ConnectionRequest',
    'ConnectionState',
    'DrainOptions',
    'DrainPhase',
    'DrainProgress',
    'DrainReport',
    'HandlerOrder',
    'HandlersPolicy',
    'Handshake',
    'Initiator',
    'LifecycleEvent',
    'LifecycleReport',
    'LossCause',
    'MessageData',
    'MessageSerializer',
    'OnGatewayDrain',
    'OnUnacknowledged',
    'OptionFault',
    'OverflowPolicy',
    'Platform',
    'RaceDetail',
    'RaceKind',
    'RefusalCause',
    'SafeCloseOptions',
    'SendOptions',
    'SendOutcome',
    'SendTotals',
    'ShutdownOptions',
    'SlowClose',
    'Target',
    'UnacknowledgedMessage',
  ]);
});

test('The kinds of races are a closed list, each with its level', () => {
  expect(exported.RACE_KINDS.toSorted()).toEqual(Object.keys(exported.RACE_LEVELS).toSorted());
  expect(new Set(Object.values(exported.RACE_LEVELS))).toEqual(
    new Set(['expected', 'unexpected', 'defect']),
  );
  expect(exported.RACE_KINDS.toSorted()).toMatchInlineSnapshot(`
[
  "authorize-failure",
  "concurrent-close",
  "crossed-close",
  "early-message",
  "flush-timeout",
  "handler-error",
  "handlers-saturated",
  "handshake-timeout",
  "hook-rejection",
  "hook-timeout",
  "illegal-event",
  "invalid-close-arguments",
  "invalid-room",
  "invalid-session",
  "late-socket-event",
  "listener-error",
  "message-after-close",
  "message-while-draining",
  "peer-lost",
  "protocol-error",
  "rate-limited",
  "ready-timeout",
  "reply-after-close",
  "send-after-close",
  "send-before-open",
  "send-overflow",
  "session-excess",
  "settle-timeout",
  "slow-consumer",
  "stream-cut",
  "superseded-code",
  "transport-stuck",
  "unknown-event",
  "unreadable-message",
  "unserializable",
  "upgrade-refused",
]
`);
});
