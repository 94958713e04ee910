import { expect, test } from '@jest/globals';
import { DEFAULT_POLICY } from '../../src/runtime/connection.policy.js';

test('the defaults are those that the documentation gives', () => {
  expect(DEFAULT_POLICY).toEqual({
    connect: { timeout: 10_000, waitFor: 'handleConnection', maxPendingBytes: 1_048_576 },
    send: {
      highWaterMark: 65_536,
      maxBuffered: 1_048_576,
      overflow: 'close',
      acknowledge: false,
    },
    limits: {},
    close: { handlers: 'abort', flushTimeout: 5_000, handshakeTimeout: 5_000, maxTimeout: 30_000 },
    handlers: {
      order: 'concurrent',
      maxInFlight: 1_000,
      maxQueuedBytes: 1_048_576,
      settleTimeout: 5_000,
    },
    heartbeat: { interval: 25_000, timeout: 20_000 },
    session: { onExcess: 'close-oldest' },
  });
});

test('every step of a close fits under the cap on the whole', () => {
  const { close, handlers } = DEFAULT_POLICY;
  expect(handlers.settleTimeout + close.flushTimeout + close.handshakeTimeout).toBeLessThanOrEqual(
    close.maxTimeout,
  );
});
