import { describe, expect, jest, test } from '@jest/globals';
import type { CloseOutcome } from '../../src/core/outcomes.js';
import { LifecycleHub } from '../../src/runtime/lifecycle.hub.js';
import type { LifecycleObserver } from '../../src/runtime/lifecycle.observer.js';

const outcome = { connectionId: 'c' } as CloseOutcome;
const sends = { accepted: 1, written: 1, acknowledged: 0, dropped: 0, lost: 0, refused: 0 };

function recorder() {
  return {
    opened: jest.fn<LifecycleObserver['opened']>(),
    ready: jest.fn<LifecycleObserver['ready']>(),
    closing: jest.fn<LifecycleObserver['closing']>(),
    closed: jest.fn<LifecycleObserver['closed']>(),
    unacknowledged: jest.fn<NonNullable<LifecycleObserver['unacknowledged']>>(),
    race: jest.fn<LifecycleObserver['race']>(),
  };
}

/** Throws whatever it is told, or only some of it. */
function faulty(error: Error, ...methods: (keyof LifecycleObserver)[]) {
  const observer = recorder();
  for (const method of methods) {
    observer[method].mockImplementation(() => {
      throw error;
    });
  }
  return observer;
}

function tellAll(hub: LifecycleHub): void {
  hub.opened('c');
  hub.ready('c');
  hub.closing('c');
  hub.closed(outcome, sends);
  hub.unacknowledged('c', []);
  hub.race('stream-cut', 'c', { message: 'why' });
}

describe('the hub', () => {
  test('tells every observer everything, in the order in which they were given', () => {
    const order: string[] = [];
    const [first, second] = [recorder(), recorder()];
    first.opened.mockImplementation(() => order.push('first'));
    second.opened.mockImplementation(() => order.push('second'));
    tellAll(new LifecycleHub(first, second));
    expect(order).toEqual(['first', 'second']);
    for (const observer of [first, second]) {
      expect(observer.opened.mock.calls).toEqual([['c']]);
      expect(observer.ready.mock.calls).toEqual([['c']]);
      expect(observer.closing.mock.calls).toEqual([['c']]);
      expect(observer.closed.mock.calls).toEqual([[outcome, sends]]);
      expect(observer.unacknowledged.mock.calls).toEqual([['c', []]]);
      expect(observer.race.mock.calls).toEqual([['stream-cut', 'c', { message: 'why' }]]);
    }
  });

  test('spares an observer that does not want to know what was not acknowledged', () => {
    const { unacknowledged: _, ...observer } = recorder();
    const other = recorder();
    tellAll(new LifecycleHub(observer, other));
    expect(other.unacknowledged).toHaveBeenCalledTimes(1);
    expect(other.race).toHaveBeenCalledTimes(1);
  });

  test('a race without detail has an empty one', () => {
    const observer = recorder();
    new LifecycleHub(observer).race('stream-cut', 'c');
    expect(observer.race.mock.calls).toEqual([['stream-cut', 'c', {}]]);
  });

  test('what an observer throws reaches neither the caller nor keeps the others from being told', () => {
    const error = new Error('dashboard');
    const bad = faulty(error, 'opened', 'ready', 'closing', 'closed', 'race');
    const good = recorder();
    tellAll(new LifecycleHub(bad, good));
    expect(good.opened).toHaveBeenCalledTimes(1);
    expect(good.ready).toHaveBeenCalledTimes(1);
    expect(good.closing).toHaveBeenCalledTimes(1);
    expect(good.closed).toHaveBeenCalledTimes(1);
    const told = good.race.mock.calls.filter(([kind]) => kind === 'listener-error');
    expect(told).toHaveLength(5);
    expect(told[0]).toEqual(['listener-error', '', { message: 'An observer threw.', error }]);
    expect(good.race.mock.calls.filter(([kind]) => kind === 'stream-cut')).toHaveLength(1);
  });

  test('the faulty one is not told of its own fault', () => {
    const bad = faulty(new Error('dashboard'), 'opened');
    new LifecycleHub(bad, recorder()).opened('c');
    expect(bad.race).not.toHaveBeenCalled();
  });

  test('where all are faulty nobody is told, and still nothing is thrown', () => {
    const bad = faulty(new Error('one'), 'opened', 'race');
    const worse = faulty(new Error('two'), 'opened', 'race');
    const hub = new LifecycleHub(bad, worse);
    expect(() => hub.opened('c')).not.toThrow();
    expect(bad.race).toHaveBeenCalledTimes(1);
    expect(worse.race).toHaveBeenCalledTimes(1);
  });

  test('without observers it tells nobody', () => {
    expect(() => tellAll(new LifecycleHub())).not.toThrow();
  });
});
