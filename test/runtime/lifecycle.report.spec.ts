import { describe, expect, test } from '@jest/globals';
import type { CloseOutcome } from '../../src/core/outcomes.js';
import { RACE_KINDS } from '../../src/core/races.js';
import type { SendTotals } from '../../src/runtime/send-totals.js';
import { LifecycleStatistics } from '../../src/runtime/lifecycle.report.js';

const SINCE = Date.UTC(2030, 0, 1);

function outcome(over: Partial<CloseOutcome> = {}): CloseOutcome {
  return {
    connectionId: 'c',
    initiator: 'server',
    handshake: 'clean',
    code: 1000,
    reason: '',
    requests: [],
    acknowledged: true,
    written: 0,
    dropped: 0,
    lost: 0,
    refusedReplies: 0,
    durationMs: 0,
    ...over,
  };
}

function sends(over: Partial<SendTotals> = {}): SendTotals {
  return { accepted: 0, written: 0, acknowledged: 0, dropped: 0, lost: 0, refused: 0, ...over };
}

function closedAfter(...durations: number[]) {
  const statistics = new LifecycleStatistics(SINCE);
  for (const durationMs of durations) statistics.closed(outcome({ durationMs }), sends());
  return statistics.report([]).closeTimes;
}

describe('the report', () => {
  test('of a server that nobody has met is all zeros, every kind of race included', () => {
    const report = new LifecycleStatistics(SINCE).report([]);
    expect(report.toJSON()).toEqual({
      since: SINCE,
      connections: { opened: 0, open: 0, closed: 0 },
      sends: sends(),
      races: Object.fromEntries(RACE_KINDS.map((kind) => [kind, 0])),
      closes: {
        byHandshake: { clean: 0, crossed: 0, terminated: 0, lost: 0 },
        byInitiator: { server: 0, peer: 0, network: 0 },
        byCode: {},
      },
      closeTimes: { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 },
      refusedReplies: 0,
    });
  });

  test('counts connections, sends, races and closes', () => {
    const statistics = new LifecycleStatistics(SINCE);
    for (let count = 0; count < 5; count++) statistics.opened();
    statistics.ready();
    statistics.closing();
    statistics.race('stream-cut');
    statistics.race('stream-cut');
    statistics.race('late-socket-event');
    statistics.closed(
      outcome({ refusedReplies: 3 }),
      sends({ accepted: 12, written: 7, acknowledged: 5, dropped: 2, lost: 3, refused: 1 }),
    );
    statistics.closed(outcome({ code: 4001, initiator: 'peer', handshake: 'crossed' }), sends());
    statistics.closed(outcome({ code: 4001, initiator: 'network', handshake: 'lost' }), sends());
    const report = statistics.report([
      sends({ accepted: 4, written: 2, acknowledged: 1 }),
      sends({ accepted: 1, refused: 2 }),
    ]);
    expect(report.connections).toEqual({ opened: 5, open: 2, closed: 3 });
    expect(report.sends).toEqual({
      accepted: 17,
      written: 9,
      acknowledged: 6,
      dropped: 2,
      lost: 3,
      refused: 3,
    });
    expect(report.races).toMatchObject({
      'stream-cut': 2,
      'late-socket-event': 1,
      'early-message': 0,
    });
    expect(report.closes).toEqual({
      byHandshake: { clean: 1, crossed: 1, terminated: 0, lost: 1 },
      byInitiator: { server: 1, peer: 1, network: 1 },
      byCode: { 1000: 1, 4001: 2 },
    });
    expect(report.refusedReplies).toBe(3);
  });

  test('is a picture of one moment: what comes later does not change it', () => {
    const statistics = new LifecycleStatistics(SINCE);
    const before = statistics.report([]);
    statistics.opened();
    statistics.race('stream-cut');
    statistics.closed(outcome({ durationMs: 10 }), sends({ accepted: 1 }));
    expect(before.connections.opened).toBe(0);
    expect(before.races['stream-cut']).toBe(0);
    expect(before.closes.byHandshake.clean).toBe(0);
    expect(before.closes.byInitiator.server).toBe(0);
    expect(before.closes.byCode).toEqual({});
    expect(before.sends.accepted).toBe(0);
    expect(before.closeTimes.count).toBe(0);
  });

  test('the live connections are counted as they are now, not twice', () => {
    const statistics = new LifecycleStatistics(SINCE);
    const live = [sends({ accepted: 2 })];
    expect(statistics.report(live).sends.accepted).toBe(2);
    expect(statistics.report(live).sends.accepted).toBe(2);
  });

  test('serialises to plain data', () => {
    const statistics = new LifecycleStatistics(SINCE);
    statistics.closed(outcome({ durationMs: 2 }), sends());
    const report = statistics.report([]);
    const text = JSON.stringify(report);
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(report.toJSON())));
    expect(JSON.parse(text)).toMatchObject({ since: SINCE, closeTimes: { count: 1, max: 2 } });
  });
});

/** As exact as a histogram of three digits can be. */
function expectAbout(value: number, exact: number): void {
  expect(Math.abs(value - exact) / exact).toBeLessThan(0.002);
}

describe('close times', () => {
  test('of one close are all the same', () => {
    expect(closedAfter(1.5)).toEqual({
      count: 1,
      mean: 1.5,
      p50: 1.5,
      p95: 1.5,
      p99: 1.5,
      max: 1.5,
    });
  });

  test('percentiles are those of the closes, to three digits', () => {
    const times = closedAfter(...Array.from({ length: 1_000 }, (_, index) => index + 1));
    expect(times.count).toBe(1_000);
    expectAbout(times.mean, 500.5);
    expectAbout(times.p50, 500);
    expectAbout(times.p95, 950);
    expectAbout(times.p99, 990);
    expectAbout(times.max, 1_000);
  });

  test('one slow close among many shows in the maximum, and not in the median', () => {
    const times = closedAfter(...Array.from({ length: 999 }, () => 2), 30_000);
    expect(times.p50).toBe(2);
    expect(times.p99).toBe(2);
    expect(times.max).toBeGreaterThanOrEqual(29_990);
  });

  test('a close that took no time counts, as a microsecond', () => {
    expect(closedAfter(0, 0)).toMatchObject({ count: 2, p50: 0.001, max: 0.001 });
  });

  test('they are told to the microsecond', () => {
    expect(closedAfter(0.0424)).toMatchObject({ p50: 0.042 });
  });
});

describe('the text', () => {
  test('says "none" where there was nothing', () => {
    expect(new LifecycleStatistics(SINCE).report([]).toString().split('\n')).toEqual([
      'since           2030-01-01T00:00:00.000Z',
      'connections     none',
      'sends           none',
      'refused replies 0',
      'handshakes      none',
      'initiators      none',
      'codes           none',
      'close times     none',
      'races           none',
    ]);
  });

  test('names only what was met', () => {
    const statistics = new LifecycleStatistics(SINCE);
    for (let count = 0; count < 3; count++) statistics.opened();
    statistics.race('stream-cut');
    statistics.race('early-message');
    statistics.closed(
      outcome({ durationMs: 20, code: 4001, refusedReplies: 2 }),
      sends({ accepted: 3, written: 2, lost: 1 }),
    );
    const text = String(statistics.report([]));
    expect(text.split('\n')).toEqual([
      'since           2030-01-01T00:00:00.000Z',
      'connections     opened 3, open 2, closed 1',
      'sends           accepted 3, written 2, lost 1',
      'refused replies 2',
      'handshakes      clean 1',
      'initiators      server 1',
      'codes           4001 1',
      expect.stringMatching(
        /^close times {5}mean [\d.]+ ms, p50 [\d.]+, p95 [\d.]+, p99 [\d.]+, max [\d.]+$/,
      ),
      'races           stream-cut 1, early-message 1',
    ]);
  });
});
