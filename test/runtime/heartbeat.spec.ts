import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { HeartbeatPolicy } from '../../src/runtime/connection.policy.js';
import { Heartbeat, type Pulse } from '../../src/runtime/heartbeat.js';
import { ManualClock } from '../support/fakes/manual.clock.js';

const POLICY = { interval: 1_000, timeout: 600 };

/** A connection whose peer answers at once, unless it is told otherwise. */
class Peer implements Pulse {
  visit: number | undefined;
  lastSeenAt = 0;
  live = true;
  listening = true;
  bufferedAmount = 0;
  answers = true;
  readonly pings: number[] = [];
  lostAt: number | undefined;
  #mark = 0;
  onLost: () => void = () => {};
  /** What an answer takes. */
  answer: (pong: () => void) => void = (pong) => pong();

  constructor(private readonly clock: ManualClock) {}

  progressMark(): number {
    return this.#mark;
  }

  beat(): void {
    this.pings.push(this.clock.monotonic());
    if (this.answers) this.answer(() => this.heard());
  }

  heard(): void {
    this.lastSeenAt++;
  }

  reads(): void {
    this.#mark++;
  }

  onSilence(): void {
    this.lostAt = this.clock.monotonic();
    this.onLost();
  }
}

function setUp(random: () => number = () => 0): {
  clock: ManualClock;
  heartbeat: Heartbeat;
  peer: Peer;
  now: () => number;
} {
  const clock = new ManualClock();
  const since = clock.monotonic();
  const heartbeat = new Heartbeat(clock, random);
  return { clock, heartbeat, peer: new Peer(clock), now: () => clock.monotonic() - since };
}

describe('pings', () => {
  test('begin after a random part of the interval, and come once in each', () => {
    for (const random of [0, 0.5, 0.999]) {
      const { clock, heartbeat, peer } = setUp(() => random);
      const since = clock.monotonic();
      heartbeat.add(peer, POLICY);
      clock.advance(10_000);
      const [first, ...others] = peer.pings.map((at) => at - since);
      expect(first).toBeGreaterThan(random * 900);
      expect(first).toBeLessThanOrEqual(1_000);
      expect(others.length).toBeGreaterThanOrEqual(9);
      for (const [index, at] of others.entries()) {
        const wait = at - (index === 0 ? first! : others[index - 1]!);
        expect(wait).toBeGreaterThan(950);
        expect(wait).toBeLessThanOrEqual(1_000);
      }
      expect(peer.lostAt).toBeUndefined();
    }
  });

  test('come as often where the timeout is longer than the interval', () => {
    const { clock, heartbeat, peer } = setUp();
    heartbeat.add(peer, { interval: 100, timeout: 1_000 });
    clock.advance(1_000);
    expect(peer.pings.length).toBeGreaterThanOrEqual(9);
  });

  test('end with the removal of the last one, and so does the timer', () => {
    const { clock, heartbeat, peer } = setUp();
    const other = new Peer(clock);
    heartbeat.add(peer, POLICY);
    heartbeat.add(peer, POLICY);
    heartbeat.add(other, { interval: 50, timeout: 50 });
    expect(heartbeat.size).toBe(2);
    expect(clock.pendingTimers).toBe(2);
    heartbeat.remove(peer, POLICY);
    heartbeat.remove(peer, POLICY);
    heartbeat.remove(other, { interval: 50, timeout: 50 });
    heartbeat.remove(other, { interval: 51, timeout: 50 });
    expect(heartbeat.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    heartbeat.add(peer, POLICY);
    clock.advance(1_000);
    expect(peer.pings.length).toBeGreaterThan(0);
  });

  test.each([1, 10, 2 ** 31 - 1])('take an interval and a timeout of %i ms', (ms) => {
    const { clock, heartbeat, peer } = setUp();
    heartbeat.add(peer, { interval: ms, timeout: ms });
    clock.advance(3 * ms);
    expect(peer.pings.length).toBeGreaterThanOrEqual(2);
    expect(peer.lostAt).toBeUndefined();
  });
});

describe('a peer that gives no sign of life', () => {
  test.each([
    { interval: 1_000, timeout: 600 },
    { interval: 600, timeout: 1_000 },
    { interval: 500, timeout: 500 },
  ])('is lost once a ping has gone unanswered for the timeout: %j', (policy) => {
    const { clock, heartbeat, peer } = setUp();
    heartbeat.add(peer, policy);
    clock.advance(5_000);
    const diedAt = clock.monotonic();
    peer.answers = false;
    clock.advance(5_000);
    const unanswered = peer.pings.find((at) => at >= diedAt)!;
    const tick = Math.min(policy.interval, policy.timeout) / 100;
    expect(peer.lostAt! - unanswered).toBeGreaterThanOrEqual(policy.timeout);
    expect(peer.lostAt! - diedAt).toBeLessThanOrEqual(policy.interval + policy.timeout + tick);
    expect(heartbeat.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is told of once, also where that removes it, and others', () => {
    const { clock, heartbeat, peer } = setUp();
    const other = new Peer(clock);
    const third = new Peer(clock);
    peer.answers = other.answers = false;
    peer.onLost = () => {
      heartbeat.remove(peer, POLICY);
      heartbeat.remove(other, POLICY);
    };
    for (const each of [peer, other, third]) heartbeat.add(each, POLICY);
    clock.advance(5_000);
    expect(peer.lostAt).toBeDefined();
    expect(other.lostAt).toBeUndefined();
    expect(third.pings.length).toBeGreaterThan(3);
  });

  test('is left alone once it closes', () => {
    const { clock, heartbeat, peer } = setUp();
    peer.answers = false;
    heartbeat.add(peer, POLICY);
    clock.advance(100);
    peer.live = false;
    clock.advance(5_000);
    expect(peer.lostAt).toBeUndefined();
  });
});

test('a connection that closes as it is pinged is visited no more', () => {
  const { clock, heartbeat, peer } = setUp();
  const other = new Peer(clock);
  peer.answer = () => heartbeat.remove(peer, POLICY);
  heartbeat.add(peer, POLICY);
  heartbeat.add(other, POLICY);
  clock.advance(10_000);
  expect(peer.pings).toHaveLength(1);
  expect(other.pings.length).toBeGreaterThan(8);
});

describe('a sign of life', () => {
  test('is whatever the peer sends', () => {
    const { clock, heartbeat, peer } = setUp();
    peer.answers = false;
    heartbeat.add(peer, POLICY);
    for (let time = 0; time < 10_000; time += 500) {
      clock.advance(500);
      peer.heard();
    }
    expect(peer.lostAt).toBeUndefined();
  });

  test('is what it takes of what waits for it', () => {
    const { clock, heartbeat, peer } = setUp();
    peer.answers = false;
    peer.bufferedAmount = 1;
    heartbeat.add(peer, POLICY);
    for (let time = 0; time < 10_000; time += 500) {
      clock.advance(500);
      peer.reads();
    }
    expect(peer.lostAt).toBeUndefined();
  });

  test('is not what the kernel takes while nothing waits', () => {
    const { clock, heartbeat, peer } = setUp();
    peer.answers = false;
    heartbeat.add(peer, POLICY);
    for (let time = 0; time < 10_000; time += 500) {
      clock.advance(500);
      peer.reads();
    }
    expect(peer.lostAt).toBeDefined();
  });

  test('is not expected while nobody listens', () => {
    const { clock, heartbeat, peer } = setUp();
    peer.answers = false;
    heartbeat.add(peer, POLICY);
    clock.advance(100);
    expect(peer.pings).toHaveLength(1);
    peer.listening = false;
    clock.advance(10_000);
    expect(peer.pings).toHaveLength(1);
    peer.listening = true;
    clock.advance(300);
    expect(peer.pings).toHaveLength(2);
    clock.advance(2_000);
    expect(peer.lostAt).toBeDefined();
  });
});

describe('a process that was blocked', () => {
  test('holds nothing against peers whose answers it could not read', () => {
    const { clock, heartbeat, peer, now } = setUp();
    // Answers are read in the turn after the one in which a late timer fires.
    let unread: (() => void)[] = [];
    peer.answer = (pong) => unread.push(pong);
    heartbeat.add(peer, POLICY);
    while (now() < 120_000) {
      clock.stall(30_000);
      for (const pong of unread) pong();
      unread = [];
      clock.advance(500);
    }
    expect(peer.lostAt).toBeUndefined();
    expect(peer.pings.length).toBeGreaterThan(0);
  });

  test('catches up with what it was late for by little', () => {
    const { clock, heartbeat, peer } = setUp();
    heartbeat.add(peer, POLICY);
    for (let count = 0; count < 100; count++) clock.stall(100);
    expect(peer.pings.length).toBeGreaterThanOrEqual(9);
    expect(peer.lostAt).toBeUndefined();
  });
});

function crowd(clock: ManualClock, heartbeat: Heartbeat, policy: HeartbeatPolicy): Peer[] {
  const peers = Array.from({ length: 3_000 }, () => new Peer(clock));
  for (const peer of peers) heartbeat.add(peer, policy);
  return peers;
}

/** How many were given up in each turn, all turns of one moment apart. */
function lostByTurn(clock: ManualClock, peers: Peer[], ms: number): number[] {
  const lost: number[] = [];
  let before = 0;
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (wait, callback) =>
    setTimer(wait, () => {
      callback();
      const now = peers.filter(({ lostAt }) => lostAt !== undefined).length;
      lost.push(now - before);
      before = now;
    });
  // So that the timer that is set already is one of those.
  clock.advance(20);
  clock.advance(ms - 20);
  return lost;
}

describe('a crowd', () => {
  test('that falls silent at once is given up in parts, and none of it too late', () => {
    const { clock, heartbeat } = setUp();
    const peers = crowd(clock, heartbeat, POLICY);
    for (const peer of peers) peer.answers = false;
    const lost = lostByTurn(clock, peers, 2_000);
    expect(lost.reduce((sum, part) => sum + part, 0)).toBe(3_000);
    expect(Math.max(...lost)).toBeLessThanOrEqual(256);
    const wanted = 1_000 + 600 + 12;
    for (const { lostAt, pings } of peers) expect(lostAt! - pings[0]!).toBeLessThan(wanted);
    expect(heartbeat.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test('stays where it answers, though the process falls behind', () => {
    const { clock, heartbeat } = setUp(() => 0.999);
    const peers = crowd(clock, heartbeat, POLICY);
    for (let turn = 0; turn < 100; turn++) clock.stall(140);
    for (const { lostAt, pings } of peers) {
      expect(lostAt).toBeUndefined();
      expect(pings.length).toBeGreaterThan(12);
    }
  });
});

test('whatever the policy: who answers stays, who does not is found in time', () => {
  const budget = fc.integer({ min: 20, max: 60_000 });
  const property = fc.property(
    budget,
    budget,
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    (interval, timeout, random, part) => {
      const { clock, heartbeat, peer } = setUp(() => random);
      const alive = new Peer(clock);
      heartbeat.add(peer, { interval, timeout });
      heartbeat.add(alive, { interval, timeout });
      clock.advance(part * 3 * interval);
      const diedAt = clock.monotonic();
      peer.answers = false;
      clock.advance(2 * (interval + timeout));
      const tick = Math.max(1, Math.min(interval, timeout) / 100);
      expect(peer.lostAt! - diedAt).toBeLessThanOrEqual(interval + timeout + 2 * tick);
      expect(alive.lostAt).toBeUndefined();
    },
  );
  fc.assert(property, { seed: 1, numRuns: 200 });
});
