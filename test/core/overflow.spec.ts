import { describe, expect, test } from '@jest/globals';
import { admissionOf, type Admission, type OverflowPolicy } from '../../src/core/overflow.js';

const POLICIES: OverflowPolicy[] = ['close', 'refuse', 'drop-oldest', 'wait'];

interface Case {
  readonly handed?: number;
  readonly queued?: number;
  readonly waiting?: number;
  readonly bytes: number;
  readonly patient?: boolean;
}

/** With a limit of 100. */
function admitted(policy: OverflowPolicy, given: Case): Admission {
  const { handed = 0, queued = 0, waiting = 0, bytes, patient = true } = given;
  return admissionOf(policy, bytes, { handed, queued, waiting, limit: 100 }, patient);
}

test.each(POLICIES)('under %s the limit itself is still allowed', (policy) => {
  expect(admitted(policy, { handed: 40, queued: 50, bytes: 10, patient: false })).toBe('queue');
});

describe('past the limit', () => {
  test.each<[OverflowPolicy, Admission]>([
    ['close', 'close'],
    ['refuse', 'refuse'],
    ['drop-oldest', 'drop-oldest'],
    ['wait', 'refuse'],
  ])('%s does what it says', (policy, admission) => {
    expect(admitted(policy, { handed: 40, queued: 50, bytes: 11, patient: false })).toBe(admission);
  });

  test('nothing is dropped for what would not fit all the same', () => {
    expect(admitted('drop-oldest', { handed: 90, queued: 10, bytes: 10 })).toBe('drop-oldest');
    expect(admitted('drop-oldest', { handed: 90, queued: 10, bytes: 11 })).toBe('refuse');
  });
});

describe('who can wait', () => {
  test('is accepted into the first half, and waits in the other', () => {
    expect(admitted('wait', { handed: 20, queued: 20, bytes: 10 })).toBe('queue');
    expect(admitted('wait', { handed: 20, queued: 20, bytes: 11 })).toBe('wait');
    expect(admitted('wait', { handed: 20, queued: 20, waiting: 20, bytes: 40 })).toBe('wait');
    expect(admitted('wait', { handed: 20, queued: 20, waiting: 20, bytes: 41 })).toBe('refuse');
  });

  test('does not overtake those who wait, nor does who can not wait', () => {
    expect(admitted('wait', { waiting: 1, bytes: 1 })).toBe('wait');
    expect(admitted('wait', { waiting: 1, bytes: 1, patient: false })).toBe('refuse');
  });

  test('may be of any size, if it is alone', () => {
    expect(admitted('wait', { handed: 100, bytes: 1_000 })).toBe('wait');
    expect(admitted('wait', { handed: 100, queued: 1, bytes: 1_000 })).toBe('refuse');
    expect(admitted('wait', { handed: 100, waiting: 1, bytes: 1_000 })).toBe('refuse');
  });
});

test('no policy ever holds more than the limit, but for one that waits alone', () => {
  const sizes = [0, 1, 49, 50, 51, 99, 100, 101];
  for (const policy of POLICIES) {
    for (const handed of sizes) {
      for (const queued of sizes) {
        for (const waiting of policy === 'wait' ? sizes : [0]) {
          for (const bytes of sizes) {
            for (const patient of [true, false]) {
              const admission = admitted(policy, { handed, queued, waiting, bytes, patient });
              const kept = admission === 'drop-oldest' ? handed : handed + queued + waiting;
              const alone = queued + waiting === 0;
              const held = admission === 'refuse' || admission === 'close' ? 0 : kept + bytes;
              if (held > 100) expect([admission, alone, patient]).toEqual(['wait', true, true]);
            }
          }
        }
      }
    }
  }
});
