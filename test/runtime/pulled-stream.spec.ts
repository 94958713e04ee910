import { beforeEach, describe, expect, test } from '@jest/globals';
import { of } from 'rxjs';
import { Readable } from 'node:stream';
import { isPullable, PulledStream, type Pullable } from '../../src/runtime/pulled-stream.js';
import { deferred, microtasks } from './harness.js';

let log: string[];
let room: true | Promise<boolean>;
let macrotasks: (() => void)[];

beforeEach(() => {
  log = [];
  room = true;
  macrotasks = [];
});

function start(source: Pullable): PulledStream {
  const host = {
    get room() {
      return room;
    },
    afterMacrotask: (callback: () => void) => void macrotasks.push(callback),
  };
  const observer = {
    next: (value: unknown) => void log.push(String(value)),
    error: (error: unknown) => void log.push(`error ${String(error)}`),
    complete: () => void log.push('complete'),
  };
  return new PulledStream(host, observer, () => log.push('end')).start(source);
}

async function* numbers(count: number): AsyncGenerator<number> {
  try {
    for (let value = 1; value <= count; value++) {
      log.push(`asked for ${value}`);
      yield value;
    }
  } finally {
    log.push('cleaned up');
  }
}

function* letters(): Generator<string> {
  yield 'a';
  yield 'b';
}

async function* failing(): AsyncGenerator<number> {
  yield 1;
  await Promise.reject(new Error('broken'));
}

async function* untidy(): AsyncGenerator<number> {
  try {
    yield 1;
    yield 2;
  } finally {
    await Promise.reject(new Error('untidy'));
  }
}

test('what gives values when asked is told from what is a value', () => {
  for (const source of [numbers(1), letters(), Readable.from(['a'])]) {
    expect(isPullable(source)).toBe(true);
  }
  for (const value of [null, undefined, 1, 'text', [1], new Set([1]), {}, of(1), Buffer.alloc(1)]) {
    expect(isPullable(value)).toBe(false);
  }
});

describe('a source', () => {
  test('gives its values in order, and ends once', async () => {
    const stream = start(numbers(2));
    expect(stream.patient).toBe(true);
    await microtasks();
    expect(log.filter((line) => !line.startsWith('asked'))).toEqual([
      '1',
      '2',
      'cleaned up',
      'end',
      'complete',
    ]);
    expect(stream.patient).toBe(false);
    expect(stream.cut()).toBe(false);
  });

  test('may be a generator', async () => {
    start(letters());
    await microtasks();
    expect(log).toEqual(['a', 'b', 'end', 'complete']);
  });

  test('is asked only while there is room', async () => {
    const { promise, resolve } = deferred();
    room = promise as Promise<boolean>;
    start(numbers(2));
    await microtasks();
    expect(log).toEqual([]);
    room = true;
    resolve(true);
    await microtasks();
    expect(log.at(-1)).toBe('complete');
  });

  test('ends where there will be no room any more', async () => {
    room = Promise.resolve(false);
    start(numbers(2));
    await microtasks();
    expect(log).toEqual(['end', 'complete']);
  });

  test('that waits for nothing leaves the event loop to others from time to time', async () => {
    start(numbers(130));
    await microtasks();
    expect(log.filter((line) => line.startsWith('asked'))).toHaveLength(64);
    macrotasks.shift()!();
    await microtasks();
    expect(log.filter((line) => line.startsWith('asked'))).toHaveLength(128);
    macrotasks.shift()!();
    await microtasks();
    expect(log.at(-1)).toBe('complete');
  });

  test('that fails is told, and has ended', async () => {
    start(failing());
    await microtasks();
    expect(log).toEqual(['1', 'end', 'error Error: broken']);
  });

  test('that can not even begin is told, too', async () => {
    start({
      [Symbol.asyncIterator]: () => {
        throw new Error('no iterator');
      },
    });
    await microtasks();
    expect(log).toEqual(['end', 'error Error: no iterator']);
  });
});

describe('one that is cut', () => {
  test('is asked no more, and may clean up', async () => {
    const { promise, resolve } = deferred();
    const stream = start(numbers(9));
    room = promise as Promise<boolean>;
    await microtasks();
    expect(log).toEqual(['asked for 1', '1']);
    expect(stream.cut()).toBe(true);
    expect(stream.cut()).toBe(false);
    resolve(true);
    await microtasks();
    expect(log).toEqual(['asked for 1', '1', 'end', 'cleaned up']);
  });

  test('gives no value that comes too late, nor the error of one', async () => {
    for (const settle of ['resolve', 'reject'] as const) {
      log = [];
      const waits = deferred();
      const stream = start({
        [Symbol.asyncIterator]: () => ({ next: () => waits.promise as never }),
      });
      await microtasks();
      stream.cut();
      waits[settle](settle === 'resolve' ? { value: 1 } : new Error('late'));
      await microtasks();
      expect(log).toEqual(['end']);
    }
  });

  test('while there is no room for it ends no second time, though there never will be', async () => {
    const { promise, resolve } = deferred();
    room = promise as Promise<boolean>;
    const stream = start(numbers(1));
    await microtasks();
    stream.cut();
    resolve(false);
    await microtasks();
    expect(log).toEqual(['end']);
  });

  test('before it has begun has nothing to clean up', async () => {
    room = Promise.resolve(true);
    const stream = start(numbers(1));
    stream.cut();
    await microtasks();
    expect(log.slice(0, 1)).toEqual(['end']);
    expect(log).not.toContain('1');
  });

  test('may fail to clean up, which is told', async () => {
    const stream = start(untidy());
    room = new Promise(() => {});
    await microtasks();
    stream.cut();
    await microtasks();
    expect(log).toEqual(['1', 'end', 'error Error: untidy']);
  });
});
