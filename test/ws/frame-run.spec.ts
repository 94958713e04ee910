import { describe, expect, test } from '@jest/globals';
import { FrameRun } from '../../src/ws/frame-run.js';

const [FIRST, SECOND, THIRD] = ['first ', 'second ', 'third'].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
];

describe('A run of frames', () => {
  test('has them in their order', () => {
    const run = FrameRun.empty().with(FIRST).with(SECOND).with(THIRD);
    expect(run.length).toBe(18);
    expect(run.joined().toString()).toBe('first second third');
  });

  test('is the same for all who send the same, and is put together once', () => {
    const none = FrameRun.empty();
    const [one, other] = [none, none].map((run) => run.with(FIRST).with(SECOND));
    expect(one).toBe(other);
    expect(one!.joined()).toBe(one!.joined());
  });

  test('of one frame is that frame', () => {
    expect(FrameRun.empty().with(FIRST).joined()).toBe(FIRST);
  });

  test('is not changed by those that go on otherwise', () => {
    const run = FrameRun.empty().with(FIRST);
    const left = run.with(SECOND);
    const right = run.with(THIRD);
    const texts = [run, left, right, run.with(SECOND)].map((each) => each.joined().toString());
    expect(texts).toEqual(['first ', 'first second ', 'first third', 'first second ']);
  });
});
