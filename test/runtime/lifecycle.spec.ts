import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CloseRequest } from '../../src/core/close-request.js';
import type { Effect } from '../../src/core/connection.effects.js';
import type { ConnectionEvent } from '../../src/core/connection.events.js';
import type { TimerName } from '../../src/core/connection.phases.js';
import type { CloseOptions } from '../../src/runtime/connection.js';
import {
  DEFAULT_POLICY,
  type ConnectionPolicyValues,
} from '../../src/runtime/connection.policy.js';
import { Lifecycle } from '../../src/runtime/lifecycle.js';
import type { FakePort } from '../support/fakes/fake.port.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';

const POLICY: ConnectionPolicyValues = {
  ...DEFAULT_POLICY,
  connect: { ...DEFAULT_POLICY.connect, timeout: 10_000 },
  close: { handlers: 'abort', flushTimeout: 5_000, handshakeTimeout: 4_000, maxTimeout: 30_000 },
  handlers: { ...DEFAULT_POLICY.handlers, settleTimeout: 3_000 },
} as const;

function request(over: Partial<CloseRequest> = {}): CloseRequest {
  return { code: 1000, reason: '', precedence: 10, handlers: 'abort', at: 0, ...over };
}

const CLOSE: ConnectionEvent = { type: 'closeRequested', request: request() };
const FINISH: ConnectionEvent = {
  type: 'closeRequested',
  request: request({ handlers: 'finish' }),
};
const macrotaskEnded = (running: boolean, unwritten: boolean): ConnectionEvent => ({
  type: 'macrotaskEnded',
  running,
  unwritten,
});

/** Performs nothing, and writes down what it was to perform and when. */
class Probe extends Lifecycle {
  readonly log: string[] = [];
  readonly errors: unknown[] = [];
  /** The phases in which it was told that nothing is accepted any more. */
  readonly refusals: string[] = [];
  /** Called in the middle of an effect. */
  during: (effect: Effect) => void = () => {};

  get phase(): string {
    return this.context.phase;
  }

  tell(...events: ConnectionEvent[]): void {
    for (const event of events) this.handle(event);
  }

  begin(): void {
    this.awaitReady();
    this.boundReadiness();
  }

  get left(): number {
    return this.timeLeft;
  }

  shorten(options: CloseOptions): void {
    this.tighten(options);
  }

  protected override perform(effect: Effect): void {
    this.log.push(`${effect} in ${this.phase}`);
    this.during(effect);
  }

  protected override onClosing(): void {
    this.log.push(`closing in ${this.phase}`);
  }

  protected override onRefusing(): void {
    this.refusals.push(this.phase);
  }

  protected override onIllegalEvent(error: unknown): void {
    this.errors.push(error);
  }

  protected override expiryOf(name: TimerName): ConnectionEvent {
    this.log.push(`${name} expired`);
    switch (name) {
      case 'ready':
        return { type: 'readyTimeout', request: request({ code: 1013 }) };
      case 'settle':
        return { type: 'settleTimeout', unwritten: false };
      case 'flush':
        return { type: 'flushTimeout' };
      case 'handshake':
        return { type: 'handshakeTimeout' };
    }
  }
}

let clock: ManualClock;
let port: FakePort;
let mark: number;
let probe: Probe;

function start(connecting = false): void {
  clock = new ManualClock();
  ({ port } = createSocketPair({ connecting }));
  mark = 0;
  port.progressMark = () => mark;
  probe = new Probe({ clock }, port, POLICY);
}

beforeEach(() => start());

describe('what is seen of a life', () => {
  test('it is open, accepts, and has no timer', () => {
    expect(probe.state).toBe('open');
    expect(probe.live).toBe(true);
    expect(probe.accepting).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  test('until it is ready it is connecting, and accepts all the same', () => {
    probe.begin();
    expect(probe.state).toBe('connecting');
    expect(probe.live).toBe(true);
    expect(probe.accepting).toBe(true);
    probe.tell({ type: 'ready' });
    expect(probe.state).toBe('open');
    expect(clock.pendingTimers).toBe(0);
  });

  test('one whose socket has not opened is connecting, until it closes', () => {
    start(true);
    expect(probe.state).toBe('connecting');
    probe.tell(CLOSE);
    expect(probe.state).toBe('draining');
  });

  test('each step on the way to its end has its state', () => {
    const seen: string[] = [];
    const step = (event: ConnectionEvent): void => {
      probe.tell(event);
      seen.push(
        `${probe.state} ${probe.live ? 'live' : 'over'} ${probe.accepting ? 'accepting' : ''}`,
      );
    };
    step(FINISH);
    step(macrotaskEnded(true, false));
    step({ type: 'handlersSettled' });
    step(macrotaskEnded(false, true));
    step({ type: 'flushed' });
    step({ type: 'peerClosed', frame: { code: 1000, reason: '' } });
    step({ type: 'socketClosed' });
    expect(seen).toEqual([
      'draining over accepting',
      'draining over accepting',
      'draining over accepting',
      'draining over ',
      'closing over ',
      'closing over ',
      'closed over ',
    ]);
  });
});

describe('events', () => {
  test('are performed in the order of the table, once the phase has changed', () => {
    probe.tell(CLOSE);
    expect(probe.log).toEqual([
      'closing in draining.macrotask',
      'discard-waiting in draining.macrotask',
      'abort-handlers in draining.macrotask',
      'await-macrotask in draining.macrotask',
    ]);
  });

  test('whose effect throws keep none of those that follow from being handled', () => {
    const failure = new Error('of a class of the app');
    probe.during = (effect) => {
      if (effect === 'discard-waiting') throw failure;
    };
    expect(() => probe.tell(CLOSE)).toThrow(failure);
    probe.tell({ type: 'terminateRequested' });
    expect(probe.phase).toBe('closing.terminate');
  });

  test('that effects cause are handled after all effects of this one, in order', () => {
    probe.during = (effect) => {
      if (effect !== 'discard-waiting') return;
      probe.tell(FINISH, { type: 'terminateRequested' });
      expect(probe.phase).toBe('draining.macrotask');
    };
    probe.tell(CLOSE);
    expect(probe.log).toEqual([
      'closing in draining.macrotask',
      'discard-waiting in draining.macrotask',
      'abort-handlers in draining.macrotask',
      'await-macrotask in draining.macrotask',
      'tell:concurrent-close in draining.macrotask',
      'abort-handlers in closing.terminate',
      'destroy-socket in closing.terminate',
    ]);
  });

  test('that effects of those cause wait their turn, too', () => {
    probe.during = (effect) => {
      if (effect === 'abort-handlers' && probe.phase === 'draining.macrotask') {
        probe.tell({ type: 'terminateRequested' });
      }
      if (effect === 'destroy-socket') probe.tell({ type: 'socketClosed' });
    };
    probe.tell(CLOSE);
    expect(probe.phase).toBe('closed');
    expect(probe.log.at(-1)).toBe('settle in closed');
    expect(clock.pendingTimers).toBe(0);
  });

  test('that can not happen change nothing, and are told', () => {
    probe.tell({ type: 'flushTimeout' });
    expect(probe.errors).toEqual([
      expect.objectContaining({ code: 'ERR_ILLEGAL_EVENT', phase: 'open', event: 'flushTimeout' }),
    ]);
    expect(probe.phase).toBe('open');
    expect(probe.log).toEqual([]);
    probe.tell(CLOSE);
    expect(probe.phase).toBe('draining.macrotask');
  });

  test('the beginning of the end is told once', () => {
    probe.tell(CLOSE, CLOSE, { type: 'terminateRequested' }, { type: 'socketClosed' });
    expect(probe.log.filter((line) => line.startsWith('closing'))).toHaveLength(1);
  });

  test('one that nobody closes, and whose socket just ends, is told, too', () => {
    probe.tell({ type: 'socketClosed' });
    expect(probe.log[0]).toBe('closing in closed');
  });

  test('who begins to wait for readiness too late changes nothing', () => {
    probe.tell(CLOSE);
    probe.begin();
    expect(probe.phase).toBe('draining.macrotask');
    clock.advance(20_000);
    expect(probe.log).not.toContain('ready expired');
  });
});

function toFlush(): void {
  probe.tell(CLOSE, macrotaskEnded(false, true));
}

function toHandshake(): void {
  probe.tell(CLOSE, macrotaskEnded(false, false));
}

describe('timers', () => {
  test.each<[string, () => void, TimerName, number]>([
    ['connecting', () => probe.begin(), 'ready', 10_000],
    ['draining.handlers', () => probe.tell(FINISH, macrotaskEnded(true, false)), 'settle', 3_000],
    ['draining.flush', () => toFlush(), 'flush', 5_000],
    ['closing.handshake', () => toHandshake(), 'handshake', 4_000],
    ['closing.end', () => probe.tell({ type: 'peerEnded' }), 'handshake', 4_000],
    ['closing.terminate', () => probe.tell({ type: 'terminateRequested' }), 'handshake', 4_000],
  ])('%s is bounded', (phase, enter, name, timeout) => {
    enter();
    expect(probe.phase).toBe(phase);
    clock.advance(timeout - 1);
    expect(probe.phase).toBe(phase);
    clock.advance(1);
    expect(probe.log).toContain(`${name} expired`);
    expect(probe.phase).not.toBe(phase);
    expect(probe.errors).toEqual([]);
  });

  test('each phase counts from its own beginning', () => {
    toFlush();
    clock.advance(4_999);
    probe.tell({ type: 'flushed' });
    clock.advance(3_999);
    expect(probe.phase).toBe('closing.handshake');
    clock.advance(1);
    expect(probe.phase).toBe('closing.terminate');
    clock.advance(3_999);
    expect(probe.phase).toBe('closing.terminate');
    clock.advance(1);
    expect(probe.phase).toBe('closed');
    expect(probe.log).toContain('tell:transport-stuck in closed');
  });

  test('progress puts the end of a phase off', () => {
    toFlush();
    clock.advance(4_000);
    probe.tell({ type: 'progress' });
    clock.advance(4_999);
    expect(probe.phase).toBe('draining.flush');
    clock.advance(1);
    expect(probe.phase).toBe('closing.terminate');
  });

  test('what the kernel takes of one large message is progress, too', () => {
    toFlush();
    for (let ms = 0; ms < 20_000; ms += 1_000) {
      clock.advance(1_000);
      mark++;
    }
    expect(probe.phase).toBe('draining.flush');
    clock.advance(5_000);
    expect(probe.phase).toBe('closing.terminate');
  });

  test('but nothing puts it off past the cap on the whole close', () => {
    toFlush();
    for (let ms = 0; ms < 29_000; ms += 1_000) {
      clock.advance(1_000);
      probe.tell({ type: 'progress' });
    }
    clock.advance(999);
    expect(probe.phase).toBe('draining.flush');
    clock.advance(1);
    expect(probe.phase).toBe('closing.terminate');
    expect(probe.log).toContain('tell:flush-timeout in closing.terminate');
    expect(clock.pendingTimers).toBe(1);
  });

  test('the cap counts from the beginning of the close, through all its phases', () => {
    probe.tell(CLOSE);
    clock.advance(20_000);
    probe.tell(macrotaskEnded(false, true));
    clock.advance(4_000);
    probe.tell({ type: 'flushed' });
    clock.advance(3_000);
    probe.tell({ type: 'peerClosed', frame: { code: 1000, reason: '' } });
    expect(probe.phase).toBe('closing.end');
    clock.advance(2_999);
    expect(probe.phase).toBe('closing.end');
    clock.advance(1);
    expect(probe.phase).toBe('closing.terminate');
  });

  test('a macrotask that never ends is bounded by the cap alone', () => {
    probe.tell(CLOSE);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(29_999);
    expect(probe.phase).toBe('draining.macrotask');
    clock.advance(1);
    expect(probe.phase).toBe('closing.terminate');
  });

  test('none is left at the end, whichever way it comes', () => {
    const ends: (() => void)[] = [
      () => probe.tell({ type: 'socketClosed' }),
      () => probe.tell({ type: 'terminateRequested' }, { type: 'socketClosed' }),
      () => probe.tell({ type: 'terminateRequested' }),
      () => toFlush(),
      () => toHandshake(),
      () => probe.tell({ type: 'peerEnded' }),
      () => probe.begin(),
    ];
    for (const end of ends) {
      start();
      end();
      clock.advance(60_000);
      probe.tell(macrotaskEnded(false, false));
      clock.advance(60_000);
      expect(probe.phase).toBe('closed');
      expect(clock.pendingTimers).toBe(0);
      expect(probe.errors).toEqual([]);
    }
  });
});

function expiresAfter(expected: number): void {
  const { phase } = probe;
  clock.advance(expected - 1);
  expect(probe.phase).toBe(phase);
  clock.advance(1);
  expect(probe.phase).not.toBe(phase);
}

describe('budgets', () => {
  test('the tightest of all who close decides', () => {
    probe.shorten({ flushTimeout: 2_000, handshakeTimeout: 1_500 });
    probe.shorten({ flushTimeout: 1_000 });
    probe.shorten({ flushTimeout: 4_000, handshakeTimeout: 3_000 });
    probe.tell(CLOSE, macrotaskEnded(false, true));
    expiresAfter(1_000);
    expiresAfter(1_500);
  });

  test('none can be longer than those of the options', () => {
    probe.shorten({ flushTimeout: 60_000, handshakeTimeout: 60_000 });
    probe.tell(CLOSE, macrotaskEnded(false, true));
    expiresAfter(5_000);
    expiresAfter(4_000);
  });

  test('a tighter one counts in the running phase, from its last progress', () => {
    probe.tell(CLOSE, macrotaskEnded(false, true));
    clock.advance(500);
    probe.tell({ type: 'progress' });
    clock.advance(500);
    probe.shorten({ flushTimeout: 800 });
    expiresAfter(300);
  });

  test('one that is over already ends the phase at once', () => {
    probe.tell(CLOSE, macrotaskEnded(false, false));
    clock.advance(3_000);
    probe.shorten({ handshakeTimeout: 1_000 });
    expect(probe.phase).toBe('closing.handshake');
    clock.advance(0);
    expect(probe.phase).toBe('closing.terminate');
  });

  test('of another phase it leaves the running one alone', () => {
    probe.tell(CLOSE, macrotaskEnded(false, true));
    probe.shorten({ handshakeTimeout: 10 });
    expiresAfter(5_000);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '100', null])('%p is none', (value) => {
    probe.shorten({ flushTimeout: value, handshakeTimeout: value } as unknown as CloseOptions);
    probe.tell(CLOSE, macrotaskEnded(false, true));
    expiresAfter(5_000);
    expiresAfter(4_000);
  });
});

describe('a moment by which everything must have ended', () => {
  test('is never, where nobody has set one', () => {
    expect(probe.left).toBe(Number.POSITIVE_INFINITY);
  });

  test('leaves a quarter of the time to the close frame, and no more than it may take', () => {
    probe.endBy(clock.monotonic() + 2_000);
    probe.tell(FINISH, macrotaskEnded(true, false));
    clock.advance(1_499);
    expect(probe.phase).toBe('draining.handlers');
    clock.advance(1);
    expect(probe.phase).toBe('closing.handshake');
    clock.advance(500);
    expect(probe.phase).toBe('closing.terminate');
  });

  test('does not shorten what ends before it', () => {
    probe.endBy(clock.monotonic() + 60_000);
    probe.tell(FINISH, macrotaskEnded(true, false));
    clock.advance(2_999);
    expect(probe.phase).toBe('draining.handlers');
    clock.advance(1);
    clock.advance(3_999);
    expect(probe.phase).toBe('closing.handshake');
    clock.advance(1);
    expect(probe.phase).toBe('closing.terminate');
  });

  test('is the earliest of those that were given, and holds for a close that has begun', () => {
    probe.tell(FINISH, macrotaskEnded(false, true));
    expect(probe.phase).toBe('draining.flush');
    expect(probe.left).toBe(Infinity);
    probe.endBy(clock.monotonic() + 1_000);
    probe.endBy(clock.monotonic() + 9_000);
    expect(probe.left).toBe(1_000);
    for (let time = 0; time < 900; time += 100) {
      clock.advance(100);
      probe.tell({ type: 'progress' });
    }
    expect(probe.phase).toBe('draining.flush');
    clock.advance(100);
    expect(probe.phase).toBe('closing.terminate');
    clock.advance(1_000);
    expect(probe.phase).toBe('closed');
    expect(clock.pendingTimers).toBe(0);
  });

  test('that has passed ends it as soon as timers fire', () => {
    probe.tell(FINISH, macrotaskEnded(true, true));
    probe.endBy(clock.monotonic() - 1);
    clock.advance(1);
    expect(probe.phase).toBe('closed');
  });
});
