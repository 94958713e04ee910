import { describe, expect, test } from '@jest/globals';
import type { RaceKind } from '../../src/core/races.js';
import { MAX_TIMER_MS } from '../../src/runtime/clock.js';
import type { SessionPolicy } from '../../src/runtime/connection.policy.js';
import { Session, type SessionHost } from '../../src/runtime/session.js';
import { Sessions } from '../../src/runtime/sessions.js';
import { ManualClock } from '../support/fakes/manual.clock.js';

const DAY = 24 * 60 * 60 * 1_000;

/** A connection that writes down how it is closed. */
class Host implements SessionHost {
  live = true;
  accepted = true;
  readonly closes: unknown[] = [];
  readonly told: RaceKind[] = [];
  messages: (string | undefined)[] = [];
  session: Session | undefined;

  constructor(readonly openedAt = 0) {}

  close(...args: unknown[]): Promise<never> {
    this.closes.push(args);
    this.leave();
    return new Promise(() => {});
  }

  tell(kind: RaceKind, { message }: { message?: string }): void {
    this.told.push(kind);
    this.messages.push(message);
  }

  leave(): void {
    if (!this.live) return;
    this.live = false;
    this.session?.onClosing();
  }
}

class Setting {
  readonly clock = new ManualClock();
  readonly sessions = new Sessions();
  random = 0;

  join(
    policy: Partial<SessionPolicy> = {},
    host = new Host(this.clock.now()),
  ): Host & { session: Session } {
    host.session = new Session({
      host,
      sessions: this.sessions,
      clock: this.clock,
      random: () => this.random,
      policy: { onExcess: 'close-oldest', ...policy },
    });
    return host as Host & { session: Session };
  }
}

describe('the identity of a connection', () => {
  test('is known from when it is told until the end of its hooks', () => {
    const setting = new Setting();
    const { session, leave } = bound(setting.join());
    expect(session.identify('ann')).toEqual([]);
    expect(session.identity).toBe('ann');
    leave();
    expect(setting.sessions.leaving).toBe(1);
    expect(setting.sessions.leavingOf('ann')).toEqual([session]);
    session.onGone();
    expect(setting.sessions.leaving).toBe(0);
    expect(setting.sessions.leavingOf('ann')).toEqual([]);
  });

  test('may change, and says who is on its way out', () => {
    const setting = new Setting();
    const former = bound(setting.join());
    former.session.identify('ann');
    former.leave();
    const { session } = setting.join();
    session.identify('bob');
    expect(session.identify('bob')).toEqual([]);
    expect(session.identify('ann')).toEqual([former.session]);
    expect(setting.sessions.acceptedOf('bob')).toEqual([]);
    expect(setting.sessions.acceptedOf('ann')).toEqual([session]);
  });

  test.each([undefined, '', 7, {}])('is nothing where %j is given, which is told', (identity) => {
    const host = new Setting().join();
    expect(host.session.identify(identity)).toEqual([]);
    expect(host.session.identity).toBeUndefined();
    expect(host.told).toEqual(['invalid-session']);
  });

  test('is nothing of one that is closing', () => {
    const setting = new Setting();
    const host = setting.join();
    host.leave();
    host.session.identify('ann');
    host.session.onGone();
    expect(setting.sessions.leaving).toBe(0);
    expect(setting.sessions.leavingOf('ann')).toEqual([]);
  });

  test('is waited for by those who ask, also where it is gone already', () => {
    const { session, leave } = bound(new Setting().join());
    const calls: string[] = [];
    session.identify('ann');
    session.whenGone(() => calls.push('before'));
    leave();
    expect(calls).toEqual([]);
    session.onGone();
    session.whenGone(() => calls.push('after'));
    expect(calls).toEqual(['before', 'after']);
  });
});

function bound(host: Host & { session: Session }): { session: Session; leave: () => void } {
  return { session: host.session, leave: () => host.leave() };
}

describe('too many of one identity', () => {
  const EXCESS = [[4409, 'too many connections of one identity']];

  test('cost the oldest their place', () => {
    const setting = new Setting();
    const hosts = [3, 1, 2].map((openedAt) =>
      setting.join({ maxPerIdentity: 2 }, new Host(openedAt)),
    );
    for (const { session } of hosts) session.identify('ann');
    expect(hosts.map(({ closes }) => closes)).toEqual([[], EXCESS, []]);
    expect(hosts[1]!.told).toEqual(['session-excess']);
  });

  test('cost the new one its place where the old ones stay', () => {
    const setting = new Setting();
    const policy = { maxPerIdentity: 1, onExcess: 'reject-new' } as const;
    const [old, young] = [setting.join(policy), setting.join(policy)];
    old.session.identify('ann');
    young.session.identify('ann');
    expect([old.closes, young.closes]).toEqual([[], EXCESS]);
  });

  test('are none before they are accepted', () => {
    const setting = new Setting();
    const old = setting.join({ maxPerIdentity: 1 });
    old.session.identify('ann');
    const young = setting.join({ maxPerIdentity: 1 });
    young.accepted = false;
    young.session.identify('ann');
    expect(old.closes).toEqual([]);
    young.accepted = true;
    young.session.claimPlace();
    expect(old.closes).toEqual(EXCESS);
    setting.join({ maxPerIdentity: 1 }).session.claimPlace();
  });
});

describe('the age of a connection', () => {
  test('ends it with 1012, up to a tenth earlier at random', () => {
    const setting = new Setting();
    const oldest = setting.join({ maxAge: 1_000 });
    setting.random = 0.5;
    const other = setting.join({ maxAge: 1_000 });
    setting.clock.advance(949);
    expect(other.closes).toEqual([]);
    setting.clock.advance(1);
    expect(other.closes).toEqual([[1012, 'maximum age reached', { handlers: 'finish' }]]);
    setting.clock.advance(49);
    expect(oldest.closes).toEqual([]);
    setting.clock.advance(1);
    expect(oldest.closes).toHaveLength(1);
  });

  test('leaves no timer behind', () => {
    const setting = new Setting();
    const host = setting.join({ maxAge: 1_000 });
    host.session.expiresAt(new Date(setting.clock.now() + 500));
    expect(setting.clock.pendingTimers).toBe(2);
    host.leave();
    expect(setting.clock.pendingTimers).toBe(0);
    const late = new Host();
    late.live = false;
    setting.join({ maxAge: 1_000 }, late);
    expect(setting.clock.pendingTimers).toBe(0);
  });
});

describe('the expiry of a credential', () => {
  const EXPIRED = [[4401, 'credential expired']];

  test('closes with 4401, at its moment or at once where it has passed', () => {
    const setting = new Setting();
    const host = setting.join();
    host.session.expiresAt(new Date(setting.clock.now() + 1_000));
    setting.clock.advance(999);
    expect(host.closes).toEqual([]);
    setting.clock.advance(1);
    expect(host.closes).toEqual(EXPIRED);
    const late = setting.join();
    late.session.expiresAt(new Date(setting.clock.now()));
    expect(late.closes).toEqual(EXPIRED);
  });

  test('can be put off, brought forward and taken back', () => {
    const setting = new Setting();
    const host = setting.join();
    const { clock } = setting;
    host.session.expiresAt(new Date(clock.now() + 1_000));
    host.session.expiresAt(new Date(clock.now() + 5_000));
    clock.advance(4_999);
    expect(host.closes).toEqual([]);
    host.session.expiresAt(undefined);
    clock.advance(10_000);
    expect(host.closes).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
    host.session.expiresAt(new Date(clock.now() + 1));
    clock.advance(1);
    expect(host.closes).toEqual(EXPIRED);
    host.session.expiresAt(new Date(clock.now() + 1));
    expect(clock.pendingTimers).toBe(0);
  });

  test('may be further away than a timer can wait', () => {
    const setting = new Setting();
    const host = setting.join();
    host.session.expiresAt(new Date(setting.clock.now() + 60 * DAY));
    setting.clock.advance(MAX_TIMER_MS);
    setting.clock.advance(MAX_TIMER_MS);
    expect(host.closes).toEqual([]);
    setting.clock.advance(60 * DAY - 2 * MAX_TIMER_MS);
    expect(host.closes).toEqual(EXPIRED);
  });

  test('follows the wall clock where that is set back', () => {
    const setting = new Setting();
    const host = setting.join();
    host.session.expiresAt(new Date(setting.clock.now() + 1_000));
    setting.clock.setWallClock(-5_000);
    setting.clock.advance(1_000);
    expect(host.closes).toEqual([]);
    setting.clock.advance(5_000);
    expect(host.closes).toEqual(EXPIRED);
  });

  test.each([new Date(Number.NaN), new Date(1_900_000_000), 1_900_000_000_000, 'tomorrow'])(
    'fails safe where it is no date: %p',
    (date) => {
      const host = new Setting().join();
      host.session.expiresAt(date);
      expect(host.told).toEqual(['invalid-session']);
      expect(host.messages[0]).toContain('exp * 1000');
      expect(host.closes).toEqual(EXPIRED);
    },
  );
});
