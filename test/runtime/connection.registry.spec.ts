import { expect, test } from '@jest/globals';
import { ConnectionRegistry } from '../../src/runtime/connection.registry.js';

const a = { id: 'a' };
const b = { id: 'b' };

test('connections are found by their id, until they are deleted', () => {
  const registry = new ConnectionRegistry<{ id: string }>();
  expect(registry.get('a')).toBeUndefined();
  registry.add(a);
  registry.add(b);
  expect(registry.size).toBe(2);
  expect(registry.get('a')).toBe(a);
  registry.delete(a);
  registry.delete(a);
  expect(registry.get('a')).toBeUndefined();
  expect(registry.get('b')).toBe(b);
  expect(registry.size).toBe(1);
});

test('it lists connections in the order in which they came, and bears that some go meanwhile', () => {
  const registry = new ConnectionRegistry<{ id: string }>();
  const c = { id: 'c' };
  for (const connection of [a, b, c]) registry.add(connection);
  const seen: string[] = [];
  for (const connection of registry) {
    seen.push(connection.id);
    registry.delete(connection);
    registry.delete(b);
  }
  expect(seen).toEqual(['a', 'c']);
  expect([...registry]).toEqual([]);
});
