import { describe, expect, test } from '@jest/globals';
import { invalidRooms, invalidRoomsText, Membership, Rooms } from '../../src/runtime/rooms.js';

interface Member {
  readonly name: string;
}

const [ann, bob]: Member[] = [{ name: 'ann' }, { name: 'bob' }];
const names = (members: Iterable<Member>): string[] => Array.from(members, ({ name }) => name);

describe('rooms', () => {
  test('have members, each once, as long as somebody is in them', () => {
    const rooms = new Rooms<Member>();
    rooms.add('a', ann!);
    rooms.add('a', ann!);
    rooms.add('a', bob!);
    rooms.add('b', bob!);
    expect(names(rooms.membersOf('a'))).toEqual(['ann', 'bob']);
    expect(rooms.size).toBe(2);
    rooms.delete('a', ann!);
    rooms.delete('none', ann!);
    expect(names(rooms.membersOf('a'))).toEqual(['bob']);
    rooms.delete('a', bob!);
    rooms.delete('b', bob!);
    expect([rooms.size, names(rooms.membersOf('a'))]).toEqual([0, []]);
  });

  test('tell who was in them, and which name to keep', () => {
    const rooms = new Rooms<Member>();
    expect([rooms.add('a', ann!), rooms.add('a', bob!)]).toEqual(['a', 'a']);
    expect([rooms.delete('a', ann!), rooms.delete('a', ann!)]).toEqual([true, false]);
    expect(rooms.delete('none', ann!)).toBe(false);
  });

  test('one in thousands of them leaves nothing', () => {
    const rooms = new Rooms<Member>();
    const members = Array.from({ length: 100 }, (_, index) => {
      const membership = new Membership(rooms, { name: `${index}` });
      for (let room = 0; room < 1_000; room++) membership.join(`room ${room}`);
      return membership;
    });
    expect([rooms.size, rooms.membersOf('room 7').size]).toEqual([1_000, 100]);
    for (const membership of members) membership.end();
    expect(rooms.size).toBe(0);
  });
});

describe('a membership', () => {
  test('joins and leaves, and can be read after its end', () => {
    const rooms = new Rooms<Member>();
    const membership = new Membership(rooms, ann!);
    for (const room of ['a', 'b', 'c']) membership.join(room);
    membership.leave('b');
    membership.leave('none');
    expect([...membership.names]).toEqual(['a', 'c']);
    membership.end();
    membership.leave('a');
    expect([...membership.names]).toEqual(['a', 'c']);
    expect(rooms.size).toBe(0);
  });

  test('gives names that can be read and not changed', () => {
    const rooms = new Rooms<Member>();
    const membership = new Membership(rooms, ann!);
    membership.join('a');
    const given = membership.names as Set<string>;
    for (const change of [() => given.add('b'), () => given.delete('a'), () => given.clear()]) {
      expect(change).toThrow(TypeError);
    }
    expect([...given]).toEqual(['a']);
    expect(rooms.size).toBe(1);
  });
});

test('what is no name is found and told', () => {
  expect(invalidRooms(['a', 'b'])).toEqual([]);
  expect(invalidRooms(['a', '', 1, undefined])).toEqual(['', 1, undefined]);
  expect(invalidRoomsText([1])).toBe(
    'join() takes names that are not empty; it got 1, and joins none.',
  );
});
