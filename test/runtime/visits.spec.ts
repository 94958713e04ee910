import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Visits } from '../../src/runtime/visits.js';

test('whatever comes, goes and is moved, each is taken once, in the slot of its tick', () => {
  const SLOTS = 7;
  const step = fc.record({
    what: fc.constantFrom('add', 'delete', 'tick', 'tick'),
    which: fc.nat(),
    ticks: fc.integer({ min: 1, max: SLOTS - 1 }),
  });
  const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const visits = new Visits<string>(SLOTS);
    const due = new Map<number, { name: string; at: number }>();
    let now = 0;
    for (const [index, { what, which, ticks }] of steps.entries()) {
      const known = [...due.keys()];
      if (what === 'add') {
        const visit = visits.add(`item ${index}`);
        expect(due.has(visit)).toBe(false);
        visits.schedule(visit, now + ticks);
        due.set(visit, { name: `item ${index}`, at: now + ticks });
      } else if (what === 'delete' && known.length > 0) {
        const visit = known[which % known.length]!;
        visits.delete(visit);
        due.delete(visit);
      } else if (what === 'tick') {
        now++;
        const taken: number[] = [];
        for (let visit = visits.take(now); visit !== undefined; visit = visits.take(now)) {
          taken.push(visit);
          expect(visits.get(visit)).toBe(due.get(visit)!.name);
          visits.schedule(visit, now + ticks);
        }
        const wanted = [...due].filter(([, { at }]) => at === now).map(([visit]) => visit);
        expect(taken).toHaveLength(wanted.length);
        expect(new Set(taken)).toEqual(new Set(wanted));
        for (const visit of wanted) due.get(visit)!.at = now + ticks;
      }
      expect(visits.size).toBe(due.size);
    }
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

test('one that was taken out can be deleted before it has a slot again', () => {
  const visits = new Visits<string>(3);
  const visit = visits.add('gone');
  visits.schedule(visit, 1);
  expect(visits.take(1)).toBe(visit);
  visits.delete(visit);
  expect(visits.size).toBe(0);
  expect(visits.take(1)).toBeUndefined();
  expect(visits.get(visit)).toBeUndefined();
});

test('what is known of one is its own, also of a number that another one had', () => {
  const visits = new Visits<number>(3);
  const all = Array.from({ length: 100 }, (_, index) => visits.add(index));
  for (const visit of all) {
    visits.pinged(visit, visit + 1);
    visits.await(visit, visit + 2, visit + 0.5, visit === 50 ? undefined : visit * 2 ** 40);
  }
  const seen = all.map((visit) => [
    visits.pingedAt(visit),
    visits.unansweredSince(visit),
    visits.seenAt(visit),
    visits.mark(visit),
  ]);
  expect(seen).toEqual(
    all.map((visit) => [
      visit + 1,
      visit + 2,
      visit + 0.5,
      visit === 50 ? undefined : visit * 2 ** 40,
    ]),
  );
  visits.answered(7);
  expect(visits.unansweredSince(7)).toBeUndefined();
  visits.delete(9);
  expect(visits.add(9)).toBe(9);
  expect(visits.unansweredSince(9)).toBeUndefined();
  expect(visits.pingedAt(9)).toBeLessThan(-1_000_000);
});
