import { describe, expect, test } from '@jest/globals';
import { FrameChunk, FULL_CHUNK } from '../../src/ws/frame-chunk.js';

describe('A chunk', () => {
  test('is the smallest in which what is asked for fits', () => {
    const rooms = [1, 1024, 1025, 4096, 4097, FULL_CHUNK, 16_385, 65_537, 131_073, 262_144];
    const sizes = rooms.map((room) => FrameChunk.take(room).room / 1024);
    expect(sizes).toEqual([1, 1, 4, 4, 16, 16, 64, 128, 256, 256]);
  });

  test('grows with its content, and what it grew out of is used again', () => {
    const small = FrameChunk.take(10);
    small.length = small.bytes.write('content');
    const grown = small.grown(2000);
    expect(grown.filled().toString()).toBe('content');
    expect(grown.room).toBe(4096 - 'content'.length);
    expect(FrameChunk.take(10)).toBe(small);
    expect(small.length).toBe(0);
  });

  test.each([
    [FULL_CHUNK, 256],
    [256 * 1024, 16],
  ])('of %i bytes that is given back is kept, up to 4 MiB of a size', (size, kept) => {
    const taken = Array.from({ length: 300 }, () => FrameChunk.take(size));
    for (const chunk of taken) chunk.giveBack();
    const again = Array.from({ length: 300 }, () => FrameChunk.take(size));
    expect(again.filter((chunk) => taken.includes(chunk))).toHaveLength(kept);
  });
});
