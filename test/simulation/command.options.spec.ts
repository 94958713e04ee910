import { expect, test } from '@jest/globals';
import { readOptions } from '../../simulation/command.options.js';

test('a million connections by default, and few to see that it works', () => {
  const defaults = { capacity: 1_000, seed: 1, out: 'build/simulate-drain.svg' };
  expect(readOptions([])).toEqual({ connections: 1_000_000, nodes: 20, ...defaults });
  expect(readOptions(['--quick'])).toEqual({ connections: 20_000, nodes: 5, ...defaults });
});

test('each option can be set', () => {
  const words = '--connections 5000 --nodes 3 --capacity 50 --seed 9 --out a.svg --quick';
  expect(readOptions(words.split(' '))).toEqual({
    connections: 5_000,
    nodes: 3,
    capacity: 50,
    seed: 9,
    out: 'a.svg',
  });
});

test('one error names all that is wrong', () => {
  expect(() => readOptions(['--nodes', '1', '--capacity=-3', '--out='])).toThrow(
    [
      '--nodes must be a whole number from 2 to 1000, not "1".',
      '--capacity must be a whole number from 1 to 1000000, not "-3".',
      '--out must be a path.',
    ].join('\n'),
  );
  expect(() => readOptions(['--batches'])).toThrow('--batches');
  expect(() => readOptions(['--nodes', '30', '--connections', '20'])).toThrow('from 30 to');
});
