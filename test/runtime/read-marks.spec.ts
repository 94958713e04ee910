import { describe, expect, test } from '@jest/globals';
import { ReadMarks } from '../../src/runtime/read-marks.js';

describe('marks in the stream', () => {
  test('a pong tells which messages it proves read', () => {
    const marks = new ReadMarks();
    const first = marks.place(3);
    const second = marks.place(5);
    expect(marks.latest).toBe(1);
    expect(marks.pending).toBe(2);
    expect(marks.read(first)).toMatchObject({ id: 0, covers: 3 });
    expect(marks.pending).toBe(1);
    expect(marks.read(second)).toMatchObject({ id: 1, covers: 5 });
    expect(marks.pending).toBe(0);
  });

  test('a pong stands for all pings before it, whose own pongs then mean nothing', () => {
    const marks = new ReadMarks();
    const [first, second, third] = [marks.place(1), marks.place(2), marks.place(3)];
    expect(marks.read(second)).toMatchObject({ id: 1, covers: 2 });
    expect(marks.pending).toBe(1);
    expect(marks.read(first)).toBeUndefined();
    expect(marks.read(third)).toMatchObject({ id: 2, covers: 3 });
  });

  test('a second pong to one ping means nothing', () => {
    const marks = new ReadMarks();
    const payload = marks.place(1);
    marks.read(payload);
    expect(marks.read(payload)).toBeUndefined();
  });

  test('pongs to the pings of the app are not ours', () => {
    const marks = new ReadMarks();
    const payload = marks.place(1);
    for (const foreign of ['', 'heartbeat', '0', payload.subarray(4), payload.subarray(0, 4)]) {
      expect(marks.read(Buffer.from(foreign as string))).toBeUndefined();
    }
    expect(marks.read(Buffer.concat([payload.subarray(0, 4), Buffer.from('z9')]))).toBeUndefined();
    expect(marks.pending).toBe(1);
  });

  test('payloads fit a control frame, and no two of them are the same', () => {
    const marks = new ReadMarks();
    const payloads = Array.from({ length: 2_000 }, () => marks.place(1));
    expect(new Set(payloads.map(String)).size).toBe(2_000);
    expect(Math.max(...payloads.map(({ length }) => length))).toBeLessThanOrEqual(125);
  });
});
