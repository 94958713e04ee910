import { describe, expect, test } from '@jest/globals';
import { ManualClock } from './manual.clock.js';

describe('a manual clock', () => {
  test('time passes only when it is told to, on both of its clocks', () => {
    const clock = new ManualClock();
    const [wall, monotonic] = [clock.now(), clock.monotonic()];
    expect(clock.now()).toBe(wall);
    clock.advance(1_500);
    expect(clock.now() - wall).toBe(1_500);
    expect(clock.monotonic() - monotonic).toBe(1_500);
  });

  test('the wall clock can be set, of which the monotonic one knows nothing', () => {
    const clock = new ManualClock();
    const [wall, monotonic] = [clock.now(), clock.monotonic()];
    clock.setWallClock(-60_000);
    expect(clock.now()).toBe(wall - 60_000);
    expect(clock.monotonic()).toBe(monotonic);
  });

  test('timers fire in the order in which they fall due, each at its own moment', () => {
    const clock = new ManualClock();
    const since = clock.monotonic();
    const fired: [string, number][] = [];
    const set = (name: string, ms: number): void => {
      clock.setTimer(ms, () => fired.push([name, clock.monotonic() - since]));
    };
    set('late', 30);
    set('early', 10);
    set('early, too', 10);
    set('at once', 0);
    set('in the past', -5);
    expect(clock.pendingTimers).toBe(5);
    expect(clock.nextTimerIn).toBe(0);
    clock.advance(0);
    clock.advance(29);
    expect(fired).toEqual([
      ['at once', 0],
      ['in the past', 0],
      ['early', 10],
      ['early, too', 10],
    ]);
    expect(clock.nextTimerIn).toBe(1);
    clock.advance(1);
    expect(fired.at(-1)).toEqual(['late', 30]);
    expect(clock.pendingTimers).toBe(0);
    expect(clock.nextTimerIn).toBeUndefined();
  });

  test('a timer that is set by another fires in the same stretch where it falls due', () => {
    const clock = new ManualClock();
    const since = clock.monotonic();
    const fired: number[] = [];
    const again = (): void => {
      fired.push(clock.monotonic() - since);
      clock.setTimer(10, again);
    };
    clock.setTimer(10, again);
    clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
    expect(clock.nextTimerIn).toBe(5);
  });

  test('a cancelled timer never fires, and to cancel one again does no harm', () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    const first = clock.setTimer(10, () => fired.push('first'));
    clock.setTimer(10, () => fired.push('second'));
    first.cancel();
    first.cancel();
    clock.advance(10);
    first.cancel();
    expect(fired).toEqual(['second']);
  });

  test('a timer can cancel another that falls due with it', () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    clock.setTimer(10, () => {
      fired.push('first');
      second.cancel();
    });
    const second = clock.setTimer(10, () => fired.push('second'));
    clock.advance(10);
    expect(fired).toEqual(['first']);
  });

  test('a timer that is set for the tiny rest of a sum fires later, not at once and for ever', () => {
    const clock = new ManualClock();
    clock.advance(99.8 + 0.1);
    const fired: number[] = [];
    const again = (): void => {
      fired.push(clock.monotonic());
      if (fired.length < 100) clock.setTimer(Number.EPSILON, again);
    };
    clock.setTimer(Number.EPSILON, again);
    clock.advance(0.01);
    expect(fired.length).toBeGreaterThan(1);
    expect(fired.length).toBeLessThan(20);
    expect(new Set(fired).size).toBe(fired.length);
  });

  test('the end of the macrotask is where a test says; what is added there waits for the next', () => {
    const clock = new ManualClock();
    const ended: string[] = [];
    clock.afterMacrotask(() => {
      ended.push('one');
      clock.afterMacrotask(() => ended.push('three'));
    });
    clock.afterMacrotask(() => ended.push('two'));
    clock.advance(60_000);
    expect(ended).toEqual([]);
    expect(clock.pendingMacrotask).toBe(2);
    clock.endMacrotask();
    expect(ended).toEqual(['one', 'two']);
    clock.endMacrotask();
    expect(ended).toEqual(['one', 'two', 'three']);
    expect(clock.pendingMacrotask).toBe(0);
  });
});
