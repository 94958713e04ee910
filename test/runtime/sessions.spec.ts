import { describe, expect, test } from '@jest/globals';
import { departureOf, Sessions, type SessionMember } from '../../src/runtime/sessions.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { microtasks } from './harness.js';

class Member implements SessionMember {
  live = true;
  accepted = true;
  readonly #callbacks: (() => void)[] = [];

  constructor(readonly openedAt = 0) {}

  whenGone(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  go(): void {
    for (const callback of this.#callbacks) callback();
  }

  yield(): void {}
}

describe('sessions', () => {
  test('know who is accepted, the oldest first, and who is on its way out', () => {
    const sessions = new Sessions();
    const [young, old, leaving, unknown] = [
      new Member(2),
      new Member(1),
      new Member(),
      new Member(),
    ];
    leaving.live = false;
    unknown.accepted = false;
    for (const member of [young, old, leaving, unknown]) sessions.add('ann', member);
    expect(sessions.acceptedOf('ann')).toEqual([old, young]);
    expect(sessions.leavingOf('ann')).toEqual([leaving]);
    expect(sessions.acceptedOf('bob')).toEqual([]);
    expect(sessions.leavingOf('bob')).toEqual([]);
  });

  test('forget who is deleted, and know nothing of whom they never knew', () => {
    const sessions = new Sessions();
    const [one, two] = [new Member(), new Member()];
    sessions.add('ann', one);
    sessions.add('ann', two);
    sessions.delete('ann', one);
    expect(sessions.acceptedOf('ann')).toEqual([two]);
    sessions.delete('ann', two);
    sessions.delete('bob', two);
    expect(sessions.acceptedOf('ann')).toEqual([]);
  });
});

describe('the departure of some', () => {
  test('is over once all are gone', async () => {
    const clock = new ManualClock();
    const members = [new Member(), new Member()];
    let gone: boolean | undefined;
    void departureOf(members, clock, 100).then((value) => (gone = value));
    members[0]!.go();
    await microtasks();
    expect(gone).toBeUndefined();
    members[1]!.go();
    await microtasks();
    expect(gone).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is waited for no longer than patience lasts', async () => {
    const clock = new ManualClock();
    const departure = departureOf([new Member()], clock, 100);
    clock.advance(100);
    expect(await departure).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });
});
