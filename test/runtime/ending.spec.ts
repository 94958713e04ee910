import { describe, expect, test } from '@jest/globals';
import { closeVerdict } from '../../src/core/outcomes.js';
import type { CloseOutcome } from '../../src/core/outcomes.js';
import { OPEN } from '../../src/core/connection.context.js';
import { Ending } from '../../src/runtime/ending.js';

const OUTCOME: CloseOutcome = {
  connectionId: '1',
  ...closeVerdict({ ...OPEN, phase: 'closed', initiator: 'network' }),
  acknowledged: true,
  written: 0,
  dropped: 0,
  lost: 0,
  refusedReplies: 0,
  durationMs: 0,
};

describe('the end of a connection', () => {
  test('is one promise for all who ask before it, and settles once it is announced', async () => {
    const ending = new Ending();
    const { closed } = ending;
    expect(ending.closed).toBe(closed);
    let settled: CloseOutcome | undefined;
    void closed.then((outcome) => (settled = outcome));
    ending.settle(OUTCOME);
    await Promise.resolve();
    expect(settled).toBeUndefined();
    ending.announce();
    await closed;
    expect(settled).toBe(OUTCOME);
  });

  test('is known at once to who asks after it', async () => {
    const ending = new Ending();
    ending.settle(OUTCOME);
    ending.announce();
    expect(ending.outcome).toBe(OUTCOME);
    expect(await ending.closed).toBe(OUTCOME);
  });

  test('calls back all who ask, in their order, once each, and at once after it', () => {
    const ending = new Ending();
    const told: [name: string, outcome: CloseOutcome][] = [];
    for (const name of ['first', 'second', 'third']) {
      ending.whenClosed((outcome) => told.push([name, outcome]));
    }
    ending.settle(OUTCOME);
    expect(told).toEqual([]);
    ending.announce();
    ending.announce();
    expect(told.map(([name]) => name)).toEqual(['first', 'second', 'third']);
    ending.whenClosed((outcome) => told.push(['late', outcome]));
    expect(told).toHaveLength(4);
    expect(told.every(([, outcome]) => outcome === OUTCOME)).toBe(true);
  });

  test('is reported once, and not before it', () => {
    const ending = new Ending();
    expect(ending.takeReport()).toBeUndefined();
    ending.settle(OUTCOME);
    expect([ending.takeReport(), ending.takeReport()]).toEqual([OUTCOME, undefined]);
  });
});
