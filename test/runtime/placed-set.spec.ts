import { expect, test } from '@jest/globals';
import { PlacedSet } from '../../src/runtime/placed-set.js';

class Member {
  place = 0;
  constructor(readonly name: string) {}
}

function setOf(...names: string[]): { set: PlacedSet<Member>; all: Member[] } {
  const set = new PlacedSet<Member>();
  const all = names.map((name) => new Member(name));
  for (const member of all) set.add(member);
  return { set, all };
}

const namesOf = (set: PlacedSet<Member>): string =>
  set.members
    .map(({ name }) => name)
    .toSorted()
    .join('');

test.each([0, 1, 2])('number %i of three can go, and then the others', (first) => {
  const { set, all } = setOf('a', 'b', 'c');
  set.remove(all[first]!);
  const left = all.filter((_member, index) => index !== first);
  expect(namesOf(set)).toBe(left.map(({ name }) => name).join(''));
  set.remove(left[0]!);
  expect(namesOf(set)).toBe(left[1]!.name);
  set.remove(left[1]!);
  expect(set.members).toEqual([]);
});

test('those that are asked for may go one by one', () => {
  const { set } = setOf('a', 'b', 'c', 'd');
  const seen: string[] = [];
  for (const member of set.members) {
    seen.push(member.name);
    set.remove(member);
  }
  expect(seen.join('')).toBe('abcd');
  expect(set.members).toEqual([]);
});
