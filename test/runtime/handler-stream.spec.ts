import { describe, expect, test } from '@jest/globals';
import { config, EMPTY, lastValueFrom, NEVER, Observable, of, Subject, throwError } from 'rxjs';
import {
  HandlerStream,
  isObservable,
  type ObservableLike,
} from '../../src/runtime/handler-stream.js';

/** A stream that writes down all that happens to it. */
function stream(onNext: (value: unknown) => void = () => {}) {
  const log: string[] = [];
  const made: HandlerStream = new HandlerStream(
    {
      onStreamEnd: (ended) => log.push(ended === made ? 'ended' : 'ended another'),
      onHandlerError: (error) => log.push(`teardown ${(error as Error).message}`),
    },
    {
      next: (value) => {
        log.push(`next ${String(value)}`);
        onNext(value);
      },
      error: (error) => log.push(`error ${(error as Error).message}`),
      complete: () => log.push('complete'),
    },
  );
  return { made, log };
}

/** An Observable that never emits, and whose teardown is seen. */
function torn(log: string[], fault?: Error): Observable<never> {
  return new Observable(() => () => {
    log.push('torn down');
    if (fault) throw fault;
  });
}

/** Of the shape only: what it makes of its observer is the test's business. */
function shaped(subscribe: ObservableLike['subscribe']): ObservableLike {
  return { subscribe };
}

const nothing = { unsubscribe: () => {} };

describe('what counts as an Observable', () => {
  test('those of rxjs do, of whatever copy', () => {
    expect(isObservable(of(1))).toBe(true);
    expect(isObservable(new Subject())).toBe(true);
    expect(isObservable({ subscribe: () => nothing, lift: () => {} })).toBe(true);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'subscribe'],
    ['a function', Object.assign(() => {}, { subscribe: () => {}, lift: () => {} })],
    ['data with a field of that name', { subscribe: true, lift: 1 }],
    ['an emitter that can be subscribed to', { subscribe: () => {} }],
    ['a promise', lastValueFrom(of(1))],
  ])('%s does not', (_name, value) => {
    expect(isObservable(value)).toBe(false);
  });
});

describe('a stream', () => {
  test('passes on what the Observable gives, and ends with it', () => {
    const { made, log } = stream();
    made.start(of(1, 2));
    expect(log).toEqual(['next 1', 'next 2', 'ended', 'complete']);
  });

  test('may be called by what only inherits from its observer, as rxjs 6 does', () => {
    const { made, log } = stream();
    made.start(
      shaped((observer) => {
        expect('unsubscribe' in observer).toBe(false);
        const context = Object.create(observer) as typeof observer;
        context.next(1);
        context.error(new Error('database'));
        return nothing;
      }),
    );
    expect(log).toEqual(['next 1', 'ended', 'error database']);
  });

  test('passes all on where rxjs gives observers a context of their own', () => {
    const { made, log } = stream();
    config.useDeprecatedNextContext = true;
    try {
      made.start(of(1));
    } finally {
      config.useDeprecatedNextContext = false;
    }
    expect(log).toEqual(['next 1', 'ended', 'complete']);
  });

  test('that is empty ends at once', () => {
    const { made, log } = stream();
    expect(made.start(EMPTY)).toBe(made);
    expect(log).toEqual(['ended', 'complete']);
  });

  test('ends with the error of its Observable', () => {
    const { made, log } = stream();
    made.start(throwError(() => new Error('database')));
    expect(log).toEqual(['ended', 'error database']);
  });

  test('that is cut is unsubscribed, and completes', () => {
    const { made, log } = stream();
    made.start(torn(log));
    expect(made.cut()).toBe(true);
    expect(log).toEqual(['ended', 'torn down', 'complete']);
    expect(made.cut()).toBe(false);
    expect(log).toHaveLength(3);
  });

  test('that has ended can not be cut', () => {
    const { made, log } = stream();
    made.start(of(1));
    expect(made.cut()).toBe(false);
    expect(log).toEqual(['next 1', 'ended', 'complete']);
  });

  test('that is unsubscribed ends without a word to its observer', () => {
    const { made, log } = stream();
    made.start(torn(log));
    made.unsubscribe();
    expect(log).toEqual(['ended', 'torn down']);
  });

  test('tells of a teardown that throws, and ends all the same', () => {
    const { made, log } = stream();
    made.start(torn(log, new Error('pool is gone')));
    expect(made.cut()).toBe(true);
    expect(log[0]).toBe('ended');
    expect(log[1]).toBe('torn down');
    expect(log[2]).toMatch(/^teardown .*pool is gone/s);
    expect(log[3]).toBe('complete');
  });

  test('that is cut by what it emits while it is being subscribed to is unsubscribed then', () => {
    const { made, log } = stream(() => made.cut());
    made.start(
      new Observable((subscriber) => {
        subscriber.next('one');
        subscriber.next('two');
        return () => log.push('torn down');
      }),
    );
    expect(log).toEqual(['next one', 'ended', 'complete', 'torn down']);
  });

  test('ends with what its subscribe throws', () => {
    const { made, log } = stream();
    made.start(
      shaped(() => {
        throw new Error('not today');
      }),
    );
    expect(log).toEqual(['ended', 'error not today']);
    expect(made.cut()).toBe(false);
  });

  test('ends once where a subscribe throws after it has completed', () => {
    const { made, log } = stream();
    made.start(
      shaped((observer) => {
        observer.complete();
        throw new Error('too late');
      }),
    );
    expect(log).toEqual(['ended', 'complete']);
  });

  test('believes no Observable that goes on after its end', () => {
    const { made, log } = stream();
    made.start(
      shaped((observer) => {
        observer.next(1);
        observer.complete();
        observer.next(2);
        observer.error(new Error('late'));
        observer.complete();
        return nothing;
      }),
    );
    expect(log).toEqual(['next 1', 'ended', 'complete']);
  });

  test('an error that follows a cut is not passed on', () => {
    const subject = new Subject();
    const { made, log } = stream();
    made.start(shaped((observer) => (subject.subscribe(observer), nothing)));
    made.cut();
    subject.next('late');
    subject.error(new Error('late'));
    expect(log).toEqual(['ended', 'complete']);
  });

  test('is patient until its first value', () => {
    const subject = new Subject();
    const { made } = stream();
    expect(made.patient).toBe(true);
    made.start(subject);
    expect(made.patient).toBe(true);
    subject.next(1);
    expect(made.patient).toBe(false);
  });

  test('that never ends holds no subscription once it is cut', () => {
    const subject = new Subject();
    const { made } = stream();
    made.start(subject);
    expect(subject.observed).toBe(true);
    made.cut();
    expect(subject.observed).toBe(false);
    const idle = stream();
    idle.made.start(NEVER);
    expect(idle.made.cut()).toBe(true);
  });
});
