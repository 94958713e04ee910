import { beforeEach, describe, expect, test } from '@jest/globals';
import type { TimerName } from '../../src/core/connection.phases.js';
import { PhaseTimer } from '../../src/runtime/phase-timer.js';
import { ManualClock } from '../support/fakes/manual.clock.js';

const WATCHED = ['flush', 'handshake'] as const;
const UNWATCHED = ['ready', 'settle'] as const;

let clock: ManualClock;
let mark: number;
let looks: number;
let timeouts: Record<TimerName, number>;
let expired: [TimerName, number][];
let capped: number[];
let since: number;
let timer: PhaseTimer;

beforeEach(() => {
  clock = new ManualClock();
  mark = 0;
  looks = 0;
  timeouts = { ready: 1_000, settle: 1_000, flush: 1_000, handshake: 1_000 };
  expired = [];
  capped = [];
  since = clock.monotonic();
  timer = new PhaseTimer(clock, {
    timeoutOf: (name) => timeouts[name],
    progressMark: () => {
      looks++;
      return mark;
    },
    onTimer: (name) => expired.push([name, clock.monotonic() - since]),
    onCap: () => capped.push(clock.monotonic() - since),
  });
});

describe.each([...WATCHED, ...UNWATCHED])('the timer of a phase: %s', (name) => {
  test('expires once, at the timeout and not a moment before', () => {
    timer.start(name);
    clock.advance(999.999);
    expect(expired).toEqual([]);
    clock.advance(0.001);
    expect(expired).toEqual([[name, 1_000]]);
    clock.advance(60_000);
    expect(expired).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test('has one timer of the clock, and none once the phase has none', () => {
    timer.start(name);
    timer.start(name);
    timer.arm();
    expect(clock.pendingTimers).toBe(1);
    timer.stop();
    expect(clock.pendingTimers).toBe(0);
    timer.arm();
    clock.advance(60_000);
    expect(expired).toEqual([]);
  });

  test('counts anew when its phase is entered again', () => {
    timer.start(name);
    clock.advance(900);
    timer.start(name);
    clock.advance(999);
    expect(expired).toEqual([]);
    clock.advance(1);
    expect(expired).toEqual([[name, 1_900]]);
  });

  test('counts from the last progress', () => {
    timer.start(name);
    clock.advance(700);
    timer.progressed();
    clock.advance(700);
    timer.progressed();
    clock.advance(999);
    expect(expired).toEqual([]);
    clock.advance(1);
    expect(expired).toEqual([[name, 2_400]]);
  });

  test('a shorter timeout counts at once, from the same moment', () => {
    timer.start(name);
    clock.advance(300);
    timeouts[name] = 400;
    timer.arm();
    clock.advance(99);
    expect(expired).toEqual([]);
    clock.advance(1);
    expect(expired).toEqual([[name, 400]]);
  });

  test('a timeout that is over already expires as soon as the clock may', () => {
    timer.start(name);
    clock.advance(600);
    timeouts[name] = 100;
    timer.arm();
    expect(expired).toEqual([]);
    clock.advance(0);
    expect(expired).toEqual([[name, 600]]);
  });

  test('an expiry that starts the next phase is not undone by the rest of it', () => {
    const next = new PhaseTimer(clock, {
      timeoutOf: () => 500,
      progressMark: () => 0,
      onCap: () => {},
      onTimer: () => {
        expired.push([name, clock.monotonic() - since]);
        if (expired.length < 3) next.start(name);
        else next.stop();
      },
    });
    next.start(name);
    clock.advance(10_000);
    expect(expired.map(([, at]) => at)).toEqual([500, 1_000, 1_500]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe.each(WATCHED)('bytes that the kernel takes, in the phase %s', (name) => {
  test('are progress, found by looking five times in a timeout', () => {
    timer.start(name);
    clock.advance(250);
    mark = 1;
    clock.advance(749);
    expect(looks).toBe(4);
    clock.advance(1);
    expect(expired).toEqual([]);
    clock.advance(200);
    expect(expired).toEqual([[name, 1_200]]);
  });

  test('count from the look before they were found, so that no budget is exceeded', () => {
    timer.start(name);
    clock.advance(399);
    mark = 1;
    clock.advance(10_000);
    expect(expired).toEqual([[name, 1_200]]);
  });

  test('keep it alive for as long as there are some in every timeout', () => {
    timer.start(name);
    for (let taken = 1; taken <= 30; taken++) {
      clock.advance(700);
      mark = taken;
    }
    expect(expired).toEqual([]);
    clock.advance(1_000);
    expect(expired).toHaveLength(1);
  });

  test('are progress whichever way the mark moves', () => {
    mark = 5_000;
    timer.start(name);
    clock.advance(500);
    mark = 100;
    clock.advance(600);
    expect(expired).toEqual([]);
    mark = 5_000;
    clock.advance(600);
    expect(expired).toEqual([]);
  });

  test('before the phase began are none of its progress', () => {
    mark = 1;
    clock.advance(100);
    mark = 2;
    timer.start(name);
    clock.advance(1_000);
    expect(expired).toHaveLength(1);
  });

  test('count although others close in between, more often than it looks', () => {
    timer.start(name);
    for (let ms = 0; ms < 5_000; ms += 100) {
      clock.advance(100);
      timer.arm();
      mark++;
    }
    expect(expired).toEqual([]);
    clock.advance(1_000);
    expect(expired).toHaveLength(1);
  });

  test('found at the very moment of the expiry still count', () => {
    timer.start(name);
    clock.advance(950);
    mark = 1;
    clock.advance(50);
    expect(expired).toEqual([]);
    clock.advance(800);
    expect(expired).toEqual([[name, 1_800]]);
  });
});

describe.each(WATCHED)('a blocked event loop, in the phase %s', (name) => {
  test('does not count, as nothing of the reader could be seen meanwhile', () => {
    timer.start(name);
    clock.advance(250);
    clock.stall(5_000);
    expect(expired).toEqual([]);
    clock.advance(799);
    expect(expired).toEqual([]);
    clock.advance(1);
    expect(expired).toEqual([[name, 6_050]]);
  });

  test('counts where it is blocked for less than the time between two looks', () => {
    timer.start(name);
    clock.advance(899);
    clock.stall(300);
    expect(expired).toEqual([[name, 1_199]]);
  });
});

describe.each(UNWATCHED)('a blocked event loop, in the phase %s', (name) => {
  test('puts nothing off', () => {
    timer.start(name);
    clock.stall(5_000);
    expect(expired).toEqual([[name, 5_000]]);
  });
});

describe.each(UNWATCHED)('bytes that the kernel takes, in the phase %s', (name) => {
  test('put nothing off', () => {
    timer.start(name);
    clock.advance(500);
    mark = 1;
    clock.advance(500);
    expect(expired).toEqual([[name, 1_000]]);
  });

  test('are not looked for', () => {
    timer.start(name);
    clock.advance(999);
    expect(looks).toBe(0);
  });
});

describe('the cap on all phases', () => {
  test('fires at its moment, whatever the phase and its progress', () => {
    timer.start(undefined, 2_500);
    timer.start('flush', 2_500);
    for (let ms = 0; ms < 2_400; ms += 100) {
      clock.advance(100);
      timer.progressed();
    }
    clock.advance(99.999);
    expect(capped).toEqual([]);
    clock.advance(0.001);
    expect(capped).toEqual([2_500]);
    expect(expired).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('may be drawn nearer, and goes with its phase', () => {
    timer.cap(since + 10);
    expect(clock.pendingTimers).toBe(0);
    timer.start(undefined, 2_500);
    timer.cap(since + 3_000);
    timer.cap(since + 700);
    clock.advance(700);
    expect(capped).toEqual([700]);
    timer.start('settle', 800);
    timer.start('settle');
    clock.advance(1_000);
    expect(capped).toEqual([700]);
    expect(expired).toEqual([['settle', 1_700]]);
  });

  test('comes before a phase that is over at the same moment', () => {
    timer.start('settle', 1_000);
    clock.advance(1_000);
    expect(capped).toEqual([1_000]);
    expect(expired).toEqual([]);
  });
});

test('a phase that follows another in time sets no timer of its own', () => {
  let set = 0;
  const counting = Object.assign(Object.create(clock) as ManualClock, {
    monotonic: () => clock.monotonic(),
    setTimer: (ms: number, callback: () => void) => {
      set++;
      return clock.setTimer(ms, callback);
    },
  });
  const one = new PhaseTimer(counting, {
    timeoutOf: (name) => timeouts[name],
    progressMark: () => mark,
    onTimer: (name) => expired.push([name, clock.monotonic() - since]),
    onCap: () => capped.push(clock.monotonic() - since),
  });
  one.start(undefined, 30_000);
  one.start('flush', 30_000);
  clock.advance(50);
  one.start('handshake', 30_000);
  clock.advance(50);
  one.start('handshake', 30_000);
  expect(set).toBe(1);
  clock.advance(999);
  expect(expired).toEqual([]);
  clock.advance(1);
  expect(expired).toEqual([['handshake', 1_100]]);
});
