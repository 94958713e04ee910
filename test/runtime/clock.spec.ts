import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/runtime/clock.js';

const timersThatHoldTheProcess = (): number =>
  process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

test('now() is the wall clock', () => {
  const before = Date.now();
  const now = systemClock.now();
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(Date.now());
});

test('monotonic() is the clock that nobody can set', () => {
  const before = performance.now();
  const now = systemClock.monotonic();
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(performance.now());
});

test('a timer fires once', async () => {
  let fired = 0;
  const holding = setTimeout(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    systemClock.setTimer(1, () => {
      fired++;
      systemClock.setTimer(2, resolve);
    });
  });
  clearTimeout(holding);
  expect(fired).toBe(1);
});

test('a cancelled timer does not fire', async () => {
  const fired: string[] = [];
  const holding = setTimeout(() => {}, 60_000);
  const cancelled = systemClock.setTimer(1, () => fired.push('cancelled'));
  await new Promise<void>((resolve) => {
    systemClock.setTimer(1, () => {
      fired.push('later');
      resolve();
    });
    cancelled.cancel();
  });
  clearTimeout(holding);
  expect(fired).toEqual(['later']);
});

test('a timer does not keep the process alive', () => {
  const before = timersThatHoldTheProcess();
  const timer = systemClock.setTimer(60_000, () => {});
  expect(timersThatHoldTheProcess()).toBe(before);
  timer.cancel();
});

test('the end of the macrotask comes after its ticks and microtasks, those they add included', async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    systemClock.afterMacrotask(() => {
      order.push('end');
      resolve();
    });
    process.nextTick(() => {
      order.push('tick');
      queueMicrotask(() => order.push('microtask of a tick'));
    });
    queueMicrotask(() => {
      order.push('microtask');
      process.nextTick(() => order.push('tick of a microtask'));
    });
    order.push('running');
  });
  expect(order.at(0)).toBe('running');
  expect(order.at(-1)).toBe('end');
  expect(order).toHaveLength(6);
});

test('what comes after the microtasks comes after all of them, also from there', async () => {
  const log: string[] = [];
  const chain = (name: string, hops = 20): void => {
    if (hops === 0) log.push(name);
    else queueMicrotask(() => chain(name, hops - 1));
  };
  await new Promise<void>((resolve) => {
    chain('first chain');
    systemClock.afterMicrotasks(() => {
      log.push('first');
      chain('second chain');
      systemClock.afterMicrotasks(() => {
        log.push('second');
        resolve();
      });
    });
    setImmediate(() => log.push('macrotask'));
  });
  expect(log).toEqual(['first chain', 'first', 'second chain', 'second']);
});
