/* oxlint-disable unicorn/no-thenable -- What handlers return may be anything. */
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { NEVER, Observable, of, Subject, throwError } from 'rxjs';
import { HandlerCall } from '../../src/runtime/handler-call.js';
import {
  ConnectionClosingError,
  HandlerCalls,
  type HandlerCallsListener,
} from '../../src/runtime/handler-calls.js';

let log: string[];
let accepting: boolean;
let errors: unknown[];
let room: true | Promise<boolean>;
let calls: HandlerCalls;

beforeEach(() => {
  log = [];
  errors = [];
  accepting = true;
  room = true;
  const listener: HandlerCallsListener = {
    get accepting() {
      return accepting;
    },
    reply: (value, conflate) => {
      const key = conflate === undefined ? '' : ` of ${conflate}`;
      log.push(`${accepting ? 'reply' : 'refuse'} ${String(value)}${key}`);
      return accepting;
    },
    get room() {
      return room;
    },
    afterMacrotask: (callback) => void setImmediate(callback),
    onPullError: (error) => {
      log.push('pull error');
      errors.push(error);
    },
    onStreamCut: () => log.push('cut'),
    onHandlerError: (error) => {
      log.push('error');
      errors.push(error);
    },
    onHandlersSettled: () => log.push('settled'),
  };
  calls = new HandlerCalls(listener);
});

function run(result: unknown): void {
  calls.run(() => result, undefined, 'event');
}

/** A promise, and what settles it. */
function later() {
  let resolve!: (value: unknown) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const microtasks = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('a handler', () => {
  test('is called with the data and the event', () => {
    const handler = jest.fn();
    calls.run(handler, { some: 'data' }, 'chat');
    expect(handler.mock.calls).toEqual([[{ some: 'data' }, 'chat']]);
  });

  test('that returns a value replies with it, and is over', () => {
    run('pong');
    expect(log).toEqual(['reply pong', 'settled']);
    expect(calls.inFlight).toBe(0);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
  ])('that returns %s does not reply', (_n, value) => {
    run(value);
    expect(log).toEqual(['settled']);
    expect(calls.refusedReplies).toBe(0);
  });

  test.each([[0], [''], [false]])('that returns %j replies with it', (value) => {
    run(value);
    expect(log).toEqual([`reply ${String(value)}`, 'settled']);
  });

  test('that throws is told of, and is over', () => {
    calls.run(
      () => {
        throw new Error('bug');
      },
      undefined,
      'event',
    );
    expect(log).toEqual(['error', 'settled']);
    expect(errors).toEqual([new Error('bug')]);
    expect(calls.inFlight).toBe(0);
  });

  test('that returns a promise is in flight until that settles', async () => {
    const [first, second] = [later(), later()];
    run(first.promise);
    run(second.promise);
    expect(calls.inFlight).toBe(2);
    second.resolve('second');
    await microtasks();
    expect(log).toEqual(['reply second']);
    expect(calls.inFlight).toBe(1);
    first.resolve('first');
    await microtasks();
    expect(log).toEqual(['reply second', 'reply first', 'settled']);
  });

  test('whose promise rejects is told of', async () => {
    run(Promise.reject(new Error('bug')));
    await microtasks();
    expect(log).toEqual(['error', 'settled']);
    expect(errors).toEqual([new Error('bug')]);
  });

  test('replies in the microtask of its promise, so that a close of that moment finds it', async () => {
    const { promise, resolve } = later();
    run(promise);
    resolve('reply');
    await Promise.resolve();
    expect(log).toEqual(['reply reply', 'settled']);
  });

  test('whose thenable settles more than once is over once', async () => {
    run({
      then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => {
        resolve('one');
        resolve('two');
        reject(new Error('three'));
      },
    });
    await microtasks();
    expect(log).toEqual(['reply one', 'settled']);
    expect(calls.inFlight).toBe(0);
  });

  test('whose thenable throws is told of', async () => {
    run({
      then: () => {
        throw new Error('no promise at all');
      },
    });
    await microtasks();
    expect(log).toEqual(['error', 'settled']);
    expect(calls.inFlight).toBe(0);
  });

  test('whose result can not even be looked at is told of', () => {
    run({
      get then(): never {
        throw new Error('a trap');
      },
    });
    expect(log).toEqual(['error', 'settled']);
    expect(calls.inFlight).toBe(0);
  });

  test('may return data that has a field named then', () => {
    run({ then: 'later', toString: () => 'data' });
    expect(log).toEqual(['reply data', 'settled']);
  });
});

describe('an Observable that a handler returns', () => {
  test('replies with each of its values, and is over when it completes', () => {
    const subject = new Subject<unknown>();
    run(subject);
    subject.next(1);
    subject.next(undefined);
    subject.next(2);
    expect(calls.inFlight).toBe(1);
    subject.complete();
    expect(log).toEqual(['reply 1', 'reply 2', 'settled']);
  });

  test('may come out of a promise', async () => {
    run(Promise.resolve(of(1, 2)));
    await microtasks();
    expect(log).toEqual(['reply 1', 'reply 2', 'settled']);
  });

  test('that fails is told of', () => {
    run(throwError(() => new Error('bug')));
    expect(errors).toEqual([new Error('bug')]);
    expect(calls.inFlight).toBe(0);
  });

  test('whose teardown throws is told of, and over', () => {
    run(
      new Observable((subscriber) => {
        subscriber.next(1);
        return () => {
          throw new Error('teardown');
        };
      }),
    );
    calls.abort();
    expect(errors).toHaveLength(1);
    expect(calls.inFlight).toBe(0);
  });

  test('is not subscribed to where a reply would be refused, and counts as one', () => {
    accepting = false;
    const subject = new Subject();
    run(subject);
    expect(subject.observed).toBe(false);
    expect(log).toEqual(['cut', 'settled']);
    expect(calls.refusedReplies).toBe(1);
  });

  test('whose values are refused counts each of them', () => {
    const subject = new Subject();
    run(subject);
    accepting = false;
    subject.next(1);
    subject.next(2);
    expect(calls.refusedReplies).toBe(2);
    expect(log).toEqual(['refuse 1', 'refuse 2']);
  });
});

describe('a reply that is refused', () => {
  test('is counted, and the call is over', async () => {
    const { promise, resolve } = later();
    run(promise);
    accepting = false;
    resolve('late');
    await microtasks();
    expect(log).toEqual(['refuse late', 'settled']);
    expect(calls.refusedReplies).toBe(1);
  });

  test('of nothing is none', async () => {
    const { promise, resolve } = later();
    run(promise);
    accepting = false;
    resolve(undefined);
    await microtasks();
    expect(calls.refusedReplies).toBe(0);
  });
});

describe('abort', () => {
  test('aborts the signal with an error that says why', () => {
    const { signal } = calls;
    expect(signal.aborted).toBe(false);
    calls.abort();
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(ConnectionClosingError);
    expect(signal.reason).toMatchObject({
      name: 'ConnectionClosingError',
      code: 'ERR_CONNECTION_CLOSING',
      message: expect.stringContaining('closing'),
    });
  });

  test('the signal is one and the same, whoever asks', () => {
    expect(calls.signal).toBe(calls.signal);
  });

  test('one who asks for the signal only then gets an aborted one', () => {
    calls.abort();
    expect(calls.signal.aborted).toBe(true);
    expect(calls.signal.reason).toBeInstanceOf(ConnectionClosingError);
  });

  test('tells listeners of the signal once, however often it is called', () => {
    const onAbort = jest.fn();
    calls.signal.addEventListener('abort', onAbort);
    calls.abort();
    calls.abort();
    expect(onAbort).toHaveBeenCalledTimes(1);
  });

  test('cuts every Observable, and counts each as a refused reply', () => {
    const subjects = [new Subject(), new Subject()];
    for (const subject of subjects) run(subject);
    for (const subject of subjects) subject.next('begun');
    log.length = 0;
    accepting = false;
    calls.abort();
    expect(subjects.map(({ observed }) => observed)).toEqual([false, false]);
    expect(log).toEqual(['cut', 'settled', 'cut']);
    expect(calls.refusedReplies).toBe(2);
    expect(calls.inFlight).toBe(0);
  });

  test('cuts an Observable that has given values at once, though replies are still accepted', () => {
    const subject = new Subject();
    run(subject);
    subject.next('begun');
    calls.abort();
    expect(subject.observed).toBe(false);
    expect(calls.refusedReplies).toBe(1);
  });

  test('one that has given none may still reply as long as replies are accepted', () => {
    const subject = new Subject();
    run(subject);
    calls.abort();
    expect(subject.observed).toBe(true);
    subject.next('in the macrotask of the close');
    subject.complete();
    expect(log).toEqual(['reply in the macrotask of the close', 'settled']);
    expect(calls.refusedReplies).toBe(0);
  });

  test('and is cut by the next call once they are not', () => {
    const subject = new Subject();
    run(subject);
    calls.abort();
    accepting = false;
    calls.abort();
    expect(subject.observed).toBe(false);
    expect(calls.refusedReplies).toBe(1);
    calls.abort();
    expect(calls.refusedReplies).toBe(1);
  });

  test('does not end what awaits a promise: that is refused when it comes', async () => {
    const { promise, resolve } = later();
    run(promise);
    accepting = false;
    calls.abort();
    expect(calls.inFlight).toBe(1);
    resolve('late');
    await microtasks();
    expect(log).toEqual(['refuse late', 'settled']);
  });

  test('bears a teardown that starts or ends other handlers', () => {
    const other = new Subject();
    run(
      new Observable((subscriber) => {
        subscriber.next('begun');
        return () => {
          other.complete();
          run('from the teardown');
        };
      }),
    );
    run(other);
    accepting = false;
    calls.abort();
    expect(calls.inFlight).toBe(0);
    expect(calls.refusedReplies).toBe(2);
  });

  test('bears a listener of the signal that calls it again', () => {
    calls.signal.addEventListener('abort', () => calls.abort());
    const subject = new Subject();
    run(subject);
    subject.next('begun');
    calls.abort();
    expect(subject.observed).toBe(false);
    expect(calls.refusedReplies).toBe(1);
  });
});

function follow(source: Observable<unknown>) {
  const seen: string[] = [];
  const stream = calls.follow(source, {
    next: (value) => seen.push(`next ${String(value)}`),
    error: (error) => seen.push(`error ${(error as Error).message}`),
    complete: () => seen.push('complete'),
  });
  return { seen, stream };
}

describe('a handler whose replies somebody else sends', () => {
  test('is counted until its Observable ends', () => {
    const subject = new Subject();
    const { seen } = follow(subject);
    subject.next(1);
    expect(calls.inFlight).toBe(1);
    subject.complete();
    expect(calls.inFlight).toBe(0);
    expect(seen).toEqual(['next 1', 'complete']);
    expect(log).toEqual(['settled']);
  });

  test('passes its error on, and tells nobody else', () => {
    const { seen } = follow(throwError(() => new Error('bug')));
    expect(seen).toEqual(['error bug']);
    expect(log).toEqual(['settled']);
  });

  test('is cut by an abort, and completes', () => {
    accepting = false;
    const { seen } = follow(NEVER);
    calls.abort();
    expect(seen).toEqual(['complete']);
    expect(calls.refusedReplies).toBe(1);
    expect(calls.inFlight).toBe(0);
  });

  test('is over where its subscriber leaves', () => {
    const subject = new Subject();
    const { seen, stream } = follow(subject);
    stream.unsubscribe();
    expect(subject.observed).toBe(false);
    expect(calls.inFlight).toBe(0);
    expect(calls.refusedReplies).toBe(0);
    expect(seen).toEqual([]);
    calls.abort();
    expect(log).toEqual(['settled']);
  });
});

async function* numbers(): AsyncGenerator<number> {
  yield 1;
  yield 2;
}

async function* failing(): AsyncGenerator<number> {
  yield 1;
  throw new Error('broken');
}

async function* pulled(): AsyncGenerator<string> {
  yield 'pulled';
}

describe('a source that is asked for its values', () => {
  test('is in flight until its last value was sent', async () => {
    run(numbers());
    expect(calls.inFlight).toBe(1);
    await microtasks();
    expect(log).toEqual(['reply 1', 'reply 2', 'settled']);
    expect(calls.inFlight).toBe(0);
  });

  test('may come by a promise, or by an Observable', async () => {
    run(Promise.resolve(numbers()));
    await microtasks();
    run(of(numbers()));
    await microtasks();
    expect(log).toEqual(['reply 1', 'reply 2', 'settled', 'reply 1', 'reply 2', 'settled']);
  });

  test('is cut as the connection closes, and told', async () => {
    room = new Promise(() => {});
    run(numbers());
    await microtasks();
    accepting = false;
    calls.abort();
    expect(log).toEqual(['settled', 'cut']);
    expect([calls.inFlight, calls.refusedReplies]).toEqual([0, 1]);
  });

  test('is not even begun where its reply comes too late', () => {
    accepting = false;
    run(numbers());
    expect(log).toEqual(['refuse [object AsyncGenerator]', 'settled']);
    expect(calls.refusedReplies).toBe(1);
  });

  test('that fails is told, and has ended', async () => {
    run(failing());
    await microtasks();
    expect(log).toEqual(['reply 1', 'settled', 'pull error']);
  });
});

describe('a call that somebody waits for', () => {
  let ended: number;
  const callOf = (conflate?: (reply: unknown) => string): HandlerCall =>
    new HandlerCall(() => ended++, conflate);

  beforeEach(() => {
    ended = 0;
  });

  function runCall(result: unknown, call = callOf()): void {
    calls.run(() => result, undefined, 'event', call);
  }

  test('ends with its value, its promise, its Observable or its last value', async () => {
    runCall('value');
    expect(ended).toBe(1);
    const { promise, resolve } = later();
    runCall(promise);
    expect(ended).toBe(1);
    resolve('promise');
    await microtasks();
    expect(ended).toBe(2);
    const subject = new Subject<unknown>();
    runCall(subject);
    subject.next('first');
    expect(ended).toBe(2);
    subject.complete();
    expect(ended).toBe(3);
    runCall(pulled());
    expect(ended).toBe(3);
    await microtasks();
    expect(ended).toBe(4);
    expect(log.filter((line) => line.startsWith('reply'))).toEqual([
      'reply value',
      'reply promise',
      'reply first',
      'reply pulled',
    ]);
  });

  test('ends with its error, thrown or rejected, and where its reply is refused', async () => {
    calls.run(
      () => {
        throw new Error('thrown');
      },
      undefined,
      'event',
      callOf(),
    );
    runCall(Promise.reject(new Error('rejected')));
    await microtasks();
    expect(ended).toBe(2);
    runCall(throwError(() => new Error('in an Observable')));
    expect(ended).toBe(3);
    accepting = false;
    runCall(of(1));
    expect(ended).toBe(4);
    expect(errors).toHaveLength(3);
  });

  test('is told before others learn that a handler has ended', () => {
    calls.onEnded = () => log.push(`ended ${ended}`);
    runCall('value');
    expect(log).toEqual(['reply value', 'settled', 'ended 1']);
  });

  test('knows the key of each of its replies', () => {
    runCall(
      of('a', 'b'),
      callOf((reply) => `key ${String(reply)}`),
    );
    expect(log).toEqual(['reply a of key a', 'reply b of key b', 'settled']);
  });

  test('whose key throws has a reply of its own', () => {
    const broken = callOf(() => {
      throw new Error('no key');
    });
    runCall('value', broken);
    expect(log).toEqual(['error', 'reply value', 'settled']);
  });

  test('may be followed by who sends its replies', () => {
    const seen: unknown[] = [];
    const observer = { next: (value: unknown) => seen.push(value), error() {}, complete() {} };
    calls.follow(of(1, 2), observer, callOf());
    expect([seen, ended]).toEqual([[1, 2], 1]);
  });
});
