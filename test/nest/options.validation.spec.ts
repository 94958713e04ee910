import { describe, expect, test } from '@jest/globals';
import { WsAdapter } from '@nestjs/platform-ws';
import { InvalidOptionsError, type SafeCloseOptions } from '../../src/index.js';
import { Echo, gatewayOf } from './gateway.js';
import { bootError, host } from './hosting.js';

const MS = 'a whole number of milliseconds from 1 to 2147483647';
const BYTES = 'a whole number of bytes, at least 1';

async function faultsOf(options: unknown): Promise<InvalidOptionsError> {
  const error = await bootError({ safeClose: options as SafeCloseOptions });
  expect(error).toBeInstanceOf(InvalidOptionsError);
  return error as InvalidOptionsError;
}

describe('Faulty options fail the boot', () => {
  test('once, with every fault: where it is, what came and what is valid', async () => {
    const error = await faultsOf({
      isGlobal: 'yes',
      installAdapter: 1,
      mode: 'strict',
      serializer: { encode: 'json' },
      connect: { timeout: -1, waitFor: 'everything', maxPendingBytes: 0 },
      send: { highWaterMark: 1.5, acknowledge: 'yes' },
      close: { handlers: 'kill', flushTimeout: Number.NaN, handshakeTimeout: Infinity },
      handlers: { settleTimeout: '5s' },
      shutdownTimeout: 5,
    });
    expect(error.code).toBe('ERR_INVALID_OPTIONS');
    expect(error.faults).toEqual(
      expect.arrayContaining([
        { option: 'isGlobal', received: 'yes', expected: 'true or false' },
        { option: 'installAdapter', received: 1, expected: 'true or false' },
        { option: 'mode', received: 'strict', expected: "'enforce' or 'observe'" },
        {
          option: 'serializer',
          received: { encode: 'json' },
          expected: 'an object with the functions encode and decode',
        },
        { option: 'connect.timeout', received: -1, expected: MS },
        {
          option: 'connect.waitFor',
          received: 'everything',
          expected: "'handleConnection' or 'nothing'",
        },
        { option: 'connect.maxPendingBytes', received: 0, expected: BYTES },
        { option: 'send.highWaterMark', received: 1.5, expected: BYTES },
        { option: 'send.acknowledge', received: 'yes', expected: 'true or false' },
        { option: 'close.handlers', received: 'kill', expected: "'abort' or 'finish'" },
        { option: 'close.flushTimeout', received: Number.NaN, expected: MS },
        { option: 'close.handshakeTimeout', received: Infinity, expected: MS },
        { option: 'handlers.settleTimeout', received: '5s', expected: MS },
      ]),
    );
    expect(error.faults.map(({ option }) => option)).toContain('shutdownTimeout');
    expect(error.faults).toHaveLength(14);
    for (const { option, expected } of error.faults) {
      expect(error.message).toContain(`  - ${option}: got `);
      expect(error.message).toContain(expected);
    }
    expect(error.message).toContain('SafeCloseModule.forRoot() has 14 faulty options');
    expect(error.message).toContain('close.flushTimeout: got NaN');
    expect(error.message).toContain('mode: got "strict"');
  });

  test('where limits are none, or do not fit the mark that they stand above', async () => {
    const LIMIT = `${BYTES}, or Infinity`;
    const error = await faultsOf({
      send: { maxBuffered: 0, maxTotalBuffered: -Infinity, overflow: 'drop', onUnacknowledged: 1 },
      handlers: { order: 'parallel', maxInFlight: 0, maxQueuedBytes: Infinity },
      limits: { messagesPerSecond: 0, maxConnections: 1.5, maxConnectionsPerIp: 'two', perDay: 9 },
    });
    expect(error.faults.map(({ option, expected }) => [option, expected])).toEqual([
      ['send.maxBuffered', LIMIT],
      ['send.maxTotalBuffered', LIMIT],
      ['send.overflow', "'close' or 'refuse' or 'drop-oldest' or 'wait'"],
      ['send.onUnacknowledged', 'a function'],
      ['handlers.order', "'concurrent' or 'serial'"],
      ['handlers.maxInFlight', 'a whole number, at least 1'],
      ['handlers.maxQueuedBytes', BYTES],
      ['limits.messagesPerSecond', 'a number above 0, at most 1000000'],
      ['limits.maxConnections', 'a whole number, at least 1'],
      ['limits.maxConnectionsPerIp', 'a whole number, at least 1'],
      ['limits.perDay', expect.stringContaining('maxConnectionsPerIp are known')],
    ]);
    const low = await faultsOf({ send: { maxBuffered: 65_535, maxTotalBuffered: 65_535 } });
    expect(low.faults.map(({ option, expected }) => [option, expected])).toEqual([
      ['send.maxBuffered', 'at least send.highWaterMark 65536'],
      ['send.maxTotalBuffered', 'at least send.highWaterMark 65536'],
    ]);
  });

  test('but for none of these', async () => {
    await host({
      providers: [gatewayOf(Echo)],
      safeClose: {
        send: { highWaterMark: 1, maxBuffered: 1, maxTotalBuffered: Infinity },
        limits: { messagesPerSecond: 0.5, maxConnections: 1 },
      },
    });
  });

  test('also where budgets contradict each other beside another fault', async () => {
    const error = await faultsOf({
      connect: { timeout: 0 },
      close: { flushTimeout: 8_000, handshakeTimeout: 7_000, maxTimeout: 10_000 },
    });
    expect(error.faults.map(({ option }) => option)).toEqual([
      'connect.timeout',
      'close.maxTimeout',
    ]);
  });

  test.each([
    [
      { close: { maxTimeout: 9_999 } },
      'close.flushTimeout 5000 + close.handshakeTimeout 5000 = 10000',
    ],
    [
      { close: { handlers: 'finish', maxTimeout: 14_999 } },
      'handlers.settleTimeout 5000 + close.flushTimeout 5000 + close.handshakeTimeout 5000 = 15000',
    ],
    [
      { close: { handlers: 'finish' }, handlers: { settleTimeout: 20_001 } },
      'handlers.settleTimeout 20001 + close.flushTimeout 5000',
    ],
  ])('where budgets do not fit under their cap (%j)', async (options, expected) => {
    const error = await faultsOf(options);
    expect(error.faults).toHaveLength(1);
    expect(error.faults[0]).toMatchObject({ option: 'close.maxTimeout' });
    expect(error.message).toContain(expected);
  });

  test('where an option is unknown, with the names that are known', async () => {
    const error = await faultsOf({
      timeout: 5,
      close: { timeout: 5 },
      ...(JSON.parse('{"__proto__": 1}') as object),
      constructor: 2,
    });
    expect(error.faults.map(({ option }) => option).toSorted()).toEqual([
      '__proto__',
      'close.timeout',
      'constructor',
      'timeout',
    ]);
    expect(error.message).toContain(
      'timeout: got 5; valid: no such option; isGlobal, installAdapter, mode, serializer, ' +
        'authorize, allowedOrigins, trustProxy, identity, connect, send, close, handlers, ' +
        'limits, heartbeat, session, shutdown are known',
    );
    expect(error.message).toContain(
      'close.timeout: got 5; valid: no such option; handlers, flushTimeout, handshakeTimeout, ' +
        'maxTimeout are known',
    );
  });

  test.each([
    ['null', null],
    ['a number', 5],
    ['a list', []],
    ['a function', () => ({})],
  ])('where a group is %s', async (_name, close) => {
    const error = await faultsOf({ close });
    expect(error.faults).toEqual([
      {
        option: 'close',
        received: close,
        expected: 'an object of handlers, flushTimeout, handshakeTimeout, maxTimeout',
      },
    ]);
  });

  test.each([
    ['null', null],
    ['a number', 5],
    ['a list', [1]],
    ['a text', 'defaults'],
  ])('where the options are %s', async (_name, options) => {
    const error = await faultsOf(options);
    expect(error.faults).toEqual([{ option: 'options', received: options, expected: 'an object' }]);
  });

  test.each([
    ['a BigInt', 5n, '5'],
    ['a symbol', Symbol('ms'), 'Symbol(ms)'],
    ['a function', cycle, 'function cycle'],
    ['a cycle', cycle(), '[object Object]'],
    ['beyond the longest timer', 2 ** 31, '2147483648'],
    ['negative zero', -0, '0'],
  ])('where a time is %s, and shows it', async (_name, timeout, shown) => {
    const error = await faultsOf({ connect: { timeout } });
    expect(error.message).toContain(`connect.timeout: got ${shown}; valid: ${MS}`);
  });

  test('where origins or proxies are none', async () => {
    const error = await faultsOf({
      authorize: true,
      allowedOrigins: ['https://app.example', 'https://app.example/chat'],
      trustProxy: ['localhost'],
    });
    expect(error.faults.map(({ option }) => option)).toEqual([
      'authorize',
      'allowedOrigins',
      'trustProxy',
    ]);
  });

  test.each([{ mode: 'observe' }, { installAdapter: false }])(
    'where upgrades are to be refused with %j, which leaves them alone',
    async (options) => {
      const error = await faultsOf({
        ...options,
        authorize: () => true,
        allowedOrigins: [],
        limits: { maxConnections: 1, maxConnectionsPerIp: 1, messagesPerSecond: 1 },
      });
      expect(error.faults.map(({ option }) => option)).toEqual([
        'authorize',
        'allowedOrigins',
        'limits.maxConnections',
        'limits.maxConnectionsPerIp',
      ]);
      expect(error.message).toContain('where the module lets upgrades be');
    },
  );

  test('where a serializer stands beside a messageParser', async () => {
    const error = await bootError({
      safeClose: {
        serializer: { encode: (message) => JSON.stringify(message), decode: () => undefined },
      },
      prepare: (app) => {
        app.useWebSocketAdapter(new WsAdapter(app, { messageParser: () => {} }));
      },
    });
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toContain('serializer');
    expect(error.message).toContain('messageParser');
  });
});

function cycle(): object {
  const object: Record<string, unknown> = {};
  object['self'] = object;
  return object;
}

test('An option that is undefined is left at its default', async () => {
  const hosted = await host({
    safeClose: { connect: { timeout: undefined }, close: undefined } as never,
  });
  expect(hosted.service.connections.size).toBe(0);
});
