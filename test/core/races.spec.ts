import { describe, expect, it } from '@jest/globals';
import { RACE_KINDS, RACE_LEVELS } from '../../src/core/races.js';

function kindsOf(level: string): string[] {
  return RACE_KINDS.filter((kind) => RACE_LEVELS[kind] === level);
}

// Dashboards and alerts rely on these names and levels.
describe('the races that are counted and told', () => {
  it('are expected of a busy server', () => {
    expect(kindsOf('expected')).toEqual([
      'concurrent-close',
      'superseded-code',
      'crossed-close',
      'upgrade-refused',
      'send-after-close',
      'reply-after-close',
      'stream-cut',
      'early-message',
      'message-after-close',
      'message-while-draining',
      'rate-limited',
      'late-socket-event',
      'session-excess',
      'handshake-timeout',
      'peer-lost',
      'unreadable-message',
      'unknown-event',
    ]);
  });

  it('want attention where nobody expects them', () => {
    expect(kindsOf('unexpected')).toEqual([
      'authorize-failure',
      'send-before-open',
      'send-overflow',
      'slow-consumer',
      'handlers-saturated',
      'invalid-close-arguments',
      'unserializable',
      'hook-rejection',
      'hook-timeout',
      'ready-timeout',
      'invalid-session',
      'invalid-room',
      'handler-error',
      'settle-timeout',
      'flush-timeout',
      'protocol-error',
      'listener-error',
    ]);
  });

  it('are defects where they can only be ours or the transport’s', () => {
    expect(kindsOf('defect')).toEqual(['illegal-event', 'transport-stuck']);
  });

  it('have no other level', () => {
    expect(RACE_KINDS).toEqual(Object.keys(RACE_LEVELS));
    expect(new Set(Object.values(RACE_LEVELS))).toEqual(
      new Set(['expected', 'unexpected', 'defect']),
    );
  });
});
