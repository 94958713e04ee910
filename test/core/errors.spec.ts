import { describe, expect, it } from '@jest/globals';
import {
  IllegalEventError,
  InvalidOptionsError,
  SafeCloseError,
  SetupError,
} from '../../src/core/errors.js';

function namedFunction(): void {}

describe('every error of this package', () => {
  it.each([
    new IllegalEventError('open', 'flushed'),
    new InvalidOptionsError('forRoot()', []),
    new SetupError('ERR_SETUP', 'Write this line.'),
  ])('has the name of its class, a stable code and one base: $name', (error) => {
    expect(error).toBeInstanceOf(SafeCloseError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(error.constructor.name);
    expect(error.code).toMatch(/^ERR_[A-Z_]+$/);
  });

  it('may have a cause', () => {
    const cause = new Error('below');
    const error = new SafeCloseError('ERR_ANY', 'above', { cause });
    expect(error).toMatchObject({ code: 'ERR_ANY', message: 'above', name: 'SafeCloseError' });
    expect(error.cause).toBe(cause);
  });
});

describe('an illegal event', () => {
  it('says what happened and when', () => {
    expect(new IllegalEventError('open', 'flushed')).toMatchObject({
      code: 'ERR_ILLEGAL_EVENT',
      phase: 'open',
      event: 'flushed',
      message: 'A connection in "open" can\'t take the event "flushed".',
    });
  });
});

describe('invalid options', () => {
  it('are told with what came and what is valid', () => {
    const faults = [{ option: 'close.flushTimeout', received: -1, expected: 'ms above 0' }];
    const error = new InvalidOptionsError('SafeCloseModule.forRoot()', faults);
    expect(error.message).toBe(
      'SafeCloseModule.forRoot() has a faulty option:\n' +
        '  - close.flushTimeout: got -1; valid: ms above 0',
    );
    expect(error).toMatchObject({
      code: 'ERR_INVALID_OPTIONS',
      origin: 'SafeCloseModule.forRoot()',
      faults,
    });
  });

  it('are told all at once', () => {
    const error = new InvalidOptionsError('@ConnectionPolicy()', [
      { option: 'mode', received: 'off', expected: "'enforce' or 'observe'" },
      { option: 'heartbeat', received: undefined, expected: 'an object, or false' },
    ]);
    expect(error.message).toBe(
      '@ConnectionPolicy() has 2 faulty options:\n' +
        "  - mode: got \"off\"; valid: 'enforce' or 'observe'\n" +
        '  - heartbeat: got undefined; valid: an object, or false',
    );
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;

  it.each([
    ['5s', '"5s"'],
    [NaN, 'NaN'],
    [null, 'null'],
    [10n, '10'],
    [Symbol('x'), 'Symbol(x)'],
    [namedFunction, 'function namedFunction'],
    [(() => () => {})(), 'function (anonymous)'],
    [{ a: [1, 'b'] }, '{"a":[1,"b"]}'],
    [cycle, '[object Object]'],
    [{ toJSON: () => undefined }, '[object Object]'],
    [[10n], '[object Array]'],
  ])('show %p in a readable way', (received, shown) => {
    const error = new InvalidOptionsError('It', [{ option: 'o', received, expected: 'else' }]);
    expect(error.message).toBe(`It has a faulty option:\n  - o: got ${shown}; valid: else`);
  });
});
