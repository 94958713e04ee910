import { describe, expect, jest, test } from '@jest/globals';
import { Observable, Subject } from 'rxjs';
import type { CloseOutcome, SendOutcome } from '../../src/core/outcomes.js';
import type { OverflowPolicy } from '../../src/core/overflow.js';
import type { CloseOptions } from '../../src/runtime/connection.js';
import type { OnUnacknowledged } from '../../src/runtime/connection.policy.js';
import { BroadcastTally } from '../../src/runtime/broadcast-tally.js';
import { SharedMessage, type MessageData } from '../../src/runtime/socket.port.js';
import { connect, deferred, microtasks, type Connected, type ConnectOptions } from './harness.js';
import type { BatchingPort } from '../support/fakes/batching.port.js';

const KiB = 1024;

/** What a promise has come to, without waiting for it. */
async function now<T>(promise: Promise<T>): Promise<T | 'pending'> {
  let value: T | 'pending' = 'pending';
  void promise.then((settled) => {
    value = settled;
    return settled;
  });
  await microtasks();
  return value;
}

/** What the peer's stack has read, in order. */
function wire({ peer }: Connected): string[] {
  return peer.frames.map((frame) => {
    if (frame.type === 'close') return `close ${frame.frame.code}`;
    return frame.type === 'message' ? frame.data.toString().slice(0, 40) : frame.type;
  });
}

/** A peer that is frozen, with messages in the kernel and behind it. */
function frozen(options: ConnectOptions = {}): Connected {
  const connected = connect(options);
  connected.peer.pause();
  connected.owner.submit('x'.repeat(100 * KiB));
  connected.io.run();
  return connected;
}

/** Nothing of ours is left of it. */
function expectNothingLeft({ clock, connections, owner, told }: Connected): void {
  expect(clock.pendingTimers).toBe(0);
  expect(connections.size).toBe(0);
  expect(owner.queuedBytes).toBe(0);
  expect(told.outcomes).toHaveLength(1);
  expect(told.met('illegal-event')).toBe(0);
}

describe('a new connection', () => {
  test('is registered, told of, and knows what it is', () => {
    const connected = connect();
    const { owner, clock, connections, told } = connected;
    expect(owner.id).toBe('1');
    expect(connections.get('1')).toBe(owner);
    expect(told.log).toEqual(['opened']);
    expect(owner.openedAt).toBe(clock.now());
    expect(owner.lastSeenAt).toBe(clock.now());
    expect(owner.state).toBe('open');
    expect(owner.request).toEqual({ url: '', ip: '', headers: {} });
    expect(owner.totals).toEqual({
      accepted: 0,
      written: 0,
      acknowledged: 0,
      dropped: 0,
      lost: 0,
      refused: 0,
    });
    expect(owner.inFlight).toBe(0);
    expect(owner.bufferedAmount).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is registered before anybody is told of it', () => {
    const found: unknown[] = [];
    const { owner } = connect({ onOpened: ({ connections }) => found.push(connections.get('1')) });
    expect(found).toEqual([owner]);
  });

  test('keeps what the app puts into its data', () => {
    const { owner } = connect();
    expect(owner.data).toEqual({});
    owner.data['user'] = 'u1';
    expect(owner.data).toEqual({ user: 'u1' });
  });

  test('has one signal, which is not aborted', () => {
    const { owner } = connect();
    expect(owner.signal).toBe(owner.signal);
    expect(owner.signal.aborted).toBe(false);
  });

  test.each(['close', 'terminate'] as const)(
    'on which a subscriber calls %s as soon as it is told of it stays closing',
    async (method) => {
      const closed: Promise<CloseOutcome>[] = [];
      const connected = connect({
        onOpened: ({ connections }) => closed.push(connections.get('1')![method](4003, 'banned')),
      });
      const { owner } = connected;
      owner.awaitReadiness();
      owner.sealReadiness();
      expect(owner.live).toBe(false);
      connected.untilEnd();
      expect(await closed[0]).toMatchObject({ initiator: 'server' });
      expect(connected.told.log).not.toContain('ready');
      expectNothingLeft(connected);
    },
  );
});

describe('sending', () => {
  test('settles as written once the kernel has it', async () => {
    const { owner, io, peer } = connect();
    const sent = owner.send('hello');
    expect(await now(sent)).toBe('pending');
    io.run('written');
    expect(await sent).toEqual({ status: 'written' });
    io.run();
    expect(peer.texts).toEqual(['hello']);
  });

  test('with acknowledge settles once the peer has read it', async () => {
    const { owner, io } = connect();
    const sent = owner.send('hello', { acknowledge: true });
    io.run('written');
    expect(await now(sent)).toBe('pending');
    io.run();
    expect(await sent).toEqual({ status: 'acknowledged' });
  });

  test('acknowledge can be the default, and a send can do without', async () => {
    const { owner, io } = connect({ policy: { send: { acknowledge: true } } });
    const [acknowledged, written] = [owner.send('one'), owner.send('two', { acknowledge: false })];
    io.run();
    expect(await acknowledged).toEqual({ status: 'acknowledged' });
    expect(await written).toEqual({ status: 'written' });
  });

  test('emit() and post() send the frames of Nest', async () => {
    const { owner, io, peer } = connect();
    const sent = owner.emit('chat', { text: 'é' });
    expect(owner.post('note')).toBe(true);
    io.run();
    expect(await sent).toEqual({ status: 'written' });
    expect(peer.texts).toEqual(['{"event":"chat","data":{"text":"é"}}', '{"event":"note"}']);
    expect(peer.messages.map(({ isBinary }) => isBinary)).toEqual([false, false]);
  });

  test('a serializer may make Buffers', () => {
    const { owner, io, peer } = connect({
      encode: (message) => Buffer.from(JSON.stringify(message).toUpperCase()),
    });
    owner.post('a');
    io.run();
    expect(peer.messages).toEqual([{ data: Buffer.from('{"EVENT":"A"}'), isBinary: true }]);
  });

  test('bytes that wait are counted, here and in the socket', () => {
    const { owner, port } = frozen();
    owner.submit('waiting');
    expect(owner.queuedBytes).toBe(7);
    expect(owner.bufferedAmount).toBe(port.bufferedAmount + 7);
    expect(owner.totals).toMatchObject({ accepted: 2, written: 0 });
  });

  test('a signal that is aborted already refuses', async () => {
    const { owner, io, peer, told } = connect();
    const signal = AbortSignal.abort();
    expect(await owner.send('no', { signal })).toEqual({ status: 'refused', cause: 'aborted' });
    expect(await owner.emit('no', 1, { signal })).toEqual({ status: 'refused', cause: 'aborted' });
    const alive = owner.send('yes', { signal: new AbortController().signal });
    io.run();
    expect(await alive).toEqual({ status: 'written' });
    expect(peer.texts).toEqual(['yes']);
    expect(owner.totals).toMatchObject({ accepted: 1, refused: 2 });
    expect(told.races).toEqual([]);
  });

  test('before the socket is open it is refused, with the way out', async () => {
    const { owner, port, io, peer, told } = connect({ connecting: true });
    expect(owner.state).toBe('connecting');
    expect(await owner.send('early')).toEqual({ status: 'refused', cause: 'connecting' });
    expect(told.detail('send-before-open')?.message).toMatch(/'open'/);
    port.open();
    const sent = owner.send('now');
    io.run();
    expect(await sent).toEqual({ status: 'written' });
    expect(peer.texts).toEqual(['now']);
    expect(owner.totals).toMatchObject({ accepted: 1, refused: 1 });
  });

  test.each<[string, unknown, string]>([
    ['an object', {}, '[object Object]'],
    ['nothing', undefined, '[object Undefined]'],
    ['a Map', new Map(), '[object Map]'],
  ])('of %s is refused, and told with what would be right', async (_name, data, shown) => {
    const { owner, io, peer, told } = connect();
    const sent = owner.send(data as MessageData);
    expect(await sent).toEqual({ status: 'refused', cause: 'unserializable' });
    expect(told.detail('unserializable')?.message).toContain(shown);
    expect(told.detail('unserializable')?.message).toContain('emit()');
    expect(told.log).toEqual(['opened', 'unserializable']);
    expect(owner.totals).toMatchObject({ accepted: 0, refused: 1 });
    io.run();
    expect(peer.frames).toEqual([]);
  });

  test('of what has no JSON form is refused, told once, and counted', async () => {
    const { owner, told } = connect();
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(await owner.emit('a', 1n)).toEqual({ status: 'refused', cause: 'unserializable' });
    expect(await owner.emit('a', cycle)).toEqual({ status: 'refused', cause: 'unserializable' });
    expect(owner.post('a', cycle)).toBe(false);
    expect(told.met('unserializable')).toBe(3);
    expect(told.races.map(({ detail }) => detail.error)).toEqual([
      expect.any(TypeError),
      expect.any(TypeError),
      expect.any(TypeError),
    ]);
    expect(owner.totals).toMatchObject({ accepted: 0, refused: 3 });
  });

  test('of what a serializer makes nothing of is refused', async () => {
    const { owner, told } = connect({ encode: () => ({}) as never });
    expect(await owner.emit('a')).toEqual({ status: 'refused', cause: 'unserializable' });
    expect(told.detail('unserializable')?.error).toMatchObject({
      message: expect.stringContaining('serializer'),
    });
  });

  test('once closing has begun: in its macrotask it still goes out, later it is refused', async () => {
    const connected = connect();
    const { owner, clock, io, told } = connected;
    void owner.close(4000);
    const inTime = owner.send('in the macrotask');
    expect(owner.post('too')).toBe(true);
    clock.endMacrotask();
    const late = owner.send('late');
    expect(owner.post('late')).toBe(false);
    expect(await late).toEqual({ status: 'refused', cause: 'closing' });
    io.run();
    expect(await inTime).toEqual({ status: 'written' });
    expect(wire(connected)).toEqual(['in the macrotask', '{"event":"too"}', 'ping', 'close 4000']);
    expect(await owner.send('later')).toEqual({ status: 'refused', cause: 'closed' });
    expect(told.met('send-after-close')).toBe(3);
    expect(told.totals).toMatchObject({ accepted: 2, refused: 2 });
    expect(owner.totals).toMatchObject({ accepted: 2, refused: 3 });
  });

  test('once the peer has closed it is refused, as the peer did', async () => {
    const { owner, peer, io, clock } = connect();
    peer.close(1001);
    io.run();
    clock.endMacrotask();
    expect(await owner.send('late')).toEqual({ status: 'refused', cause: 'peer-closed' });
    io.run();
    expect(owner.state).toBe('closed');
    expect(await owner.send('late')).toEqual({ status: 'refused', cause: 'peer-closed' });
  });

  test('what is lost says why, and whether any of it may have left', async () => {
    const { owner, untilEnd } = bound(frozen());
    const [first, second] = [owner.send('y'.repeat(10)), owner.send('second')];
    void owner.terminate();
    untilEnd();
    expect(await first).toEqual({ status: 'lost', cause: 'terminated', sent: 'no' });
    expect(await second).toEqual({ status: 'lost', cause: 'terminated', sent: 'no' });
    expect(await owner.closed).toMatchObject({ written: 0, lost: 3, acknowledged: false });
  });
});

/** Its methods without it, for tests that need only some of them. */
function bound(connected: Connected) {
  return {
    connected,
    owner: connected.owner,
    peer: connected.peer,
    port: connected.port,
    clock: connected.clock,
    io: connected.io,
    told: connected.told,
    untilEnd: () => connected.untilEnd(),
    turn: () => connected.turn(),
  };
}

async function expectEnd(
  connected: Connected,
  after: number,
  outcome: Partial<CloseOutcome>,
): Promise<void> {
  const closed = connected.owner.close(4000);
  expect(connected.untilEnd()).toBe(after);
  expect(await closed).toMatchObject({ ...outcome, durationMs: after });
  expectNothingLeft(connected);
}

/** A connection whose `handleConnection` of some gateways is pending. */
function connecting(options: ConnectOptions = {}, ...gateways: { name: string }[]) {
  const connected = connect(options);
  const seen: string[] = [];
  connected.owner.awaitReadiness();
  connected.owner.dispatchTo({ dispatch: (data) => seen.push((data as Buffer).toString()) });
  for (const gateway of gateways) connected.owner.beginHook(gateway);
  connected.owner.sealReadiness();
  return { ...bound(connected), seen };
}

function handling(handler: (data: string) => unknown, options: ConnectOptions = {}) {
  const connected = connect(options);
  connected.handleBy(handler);
  return bound(connected);
}

describe('acknowledged()', () => {
  test('is true at once where nothing was sent', async () => {
    const { owner, clock } = connect();
    expect(await owner.acknowledged()).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is true once the peer has read all sent so far', async () => {
    const { owner, clock, io } = connect();
    owner.submit('one');
    const all = owner.acknowledged();
    expect(await now(all)).toBe('pending');
    io.run();
    expect(await all).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  test('is false at its bound, by default that of a flush, and leaves no timer', async () => {
    const { owner, clock } = frozen({ policy: { close: { flushTimeout: 700 } } });
    const [byDefault, given] = [owner.acknowledged(), owner.acknowledged(100)];
    clock.advance(99);
    expect(await now(given)).toBe('pending');
    clock.advance(1);
    expect(await now(given)).toBe(false);
    clock.advance(599);
    expect(await now(byDefault)).toBe('pending');
    clock.advance(1);
    expect(await now(byDefault)).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a pong that comes after its bound does no harm', async () => {
    const { owner, clock, peer, io } = frozen();
    const all = owner.acknowledged(10);
    clock.advance(10);
    peer.resume();
    io.run();
    expect(await all).toBe(false);
    expect(await owner.acknowledged()).toBe(true);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])(
    'a bound of %p is one of none at all',
    async (timeout) => {
      const { owner, clock } = frozen();
      const all = owner.acknowledged(timeout);
      clock.advance(0);
      expect(await all).toBe(false);
    },
  );

  test('a bound beyond what a timer can wait is that', async () => {
    const { owner, clock } = frozen();
    const all = owner.acknowledged(Number.MAX_SAFE_INTEGER);
    expect(clock.nextTimerIn).toBe(2 ** 31 - 1);
    clock.advance(60_000);
    expect(await now(all)).toBe('pending');
  });

  test('is false where the connection ends first', async () => {
    const { owner, peer, io, clock } = frozen();
    const all = owner.acknowledged();
    peer.reset();
    io.run();
    expect(await all).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('while it closes is what the outcome says, within its own bound', async () => {
    const { owner, turn } = bound(connect());
    owner.submit('one');
    void owner.close();
    const all = owner.acknowledged();
    turn();
    expect(await all).toBe(true);

    const stuck = frozen();
    void stuck.owner.close();
    const never = stuck.owner.acknowledged(50);
    stuck.turn();
    stuck.clock.advance(50);
    expect(await never).toBe(false);
    stuck.untilEnd();
    await microtasks();
    expectNothingLeft(stuck);
  });

  test('after the end is what the outcome says', async () => {
    const connected = connect();
    connected.owner.submit('one');
    void connected.owner.close();
    connected.untilEnd();
    expect(await connected.owner.acknowledged()).toBe(true);
    const lost = frozen();
    void lost.owner.terminate();
    lost.untilEnd();
    expect(await lost.owner.acknowledged()).toBe(false);
    expect(lost.clock.pendingTimers).toBe(0);
  });
});

describe('closing', () => {
  test('writes all that was accepted, then a ping, then the close frame', async () => {
    const connected = connect();
    const { owner, told } = connected;
    const sent = owner.send('one');
    const outcome = owner.close(4001, 'bye');
    owner.submit('two');
    connected.untilEnd();
    expect(wire(connected)).toEqual(['one', 'two', 'ping', 'close 4001']);
    expect(await sent).toEqual({ status: 'written' });
    expect(await outcome).toEqual({
      connectionId: '1',
      initiator: 'server',
      handshake: 'clean',
      code: 4001,
      reason: 'bye',
      requests: [{ code: 4001, reason: 'bye', at: connected.clock.now(), superseded: false }],
      acknowledged: true,
      written: 2,
      dropped: 0,
      lost: 0,
      refusedReplies: 0,
      durationMs: 0,
    });
    expect(connected.peer.closed).toEqual({ code: 4001, reason: 'bye', wasClean: true });
    expect(told.log).toEqual(['opened', 'closing', 'closed']);
    expect(told.totals).toMatchObject({ accepted: 2, written: 2, acknowledged: 2, lost: 0 });
    expectNothingLeft(connected);
  });

  test('what waited for the kernel goes before the close frame, too', () => {
    const connected = frozen();
    for (let index = 0; index < 10; index++) connected.owner.submit(`${index}`.repeat(40 * KiB));
    void connected.owner.close(4000);
    connected.peer.resume();
    connected.untilEnd();
    const frames = wire(connected).filter((frame) => frame !== 'ping');
    expect(frames.map((frame) => frame.slice(0, 5))).toEqual([
      'xxxxx',
      ...Array.from({ length: 10 }, (_, index) => `${index}`.repeat(5)),
      'close',
    ]);
    expect(connected.told.outcome).toMatchObject({ acknowledged: true, written: 11, lost: 0 });
  });

  test.each<[string, unknown[], number, string]>([
    ['nothing', [], 1000, ''],
    ['undefined', [undefined], 1000, ''],
    ['1005', [1005], 1005, ''],
    ['a code', [4000, 'why'], 4000, 'why'],
  ])('with %s', (_name, args, code, reason) => {
    const connected = connect();
    void connected.owner.close(...(args as [number?, string?]));
    connected.untilEnd();
    expect(connected.peer.closed).toMatchObject({ code, reason });
    expect(connected.told.outcome).toMatchObject({ code, reason, handshake: 'clean' });
    expect(connected.told.races).toEqual([]);
  });

  test('raw, without a code, sends a frame without one', () => {
    const connected = connect();
    connected.owner.requestClose();
    connected.untilEnd();
    expect(connected.peer.closed).toMatchObject({ code: 1005 });
  });

  test.each<[string, unknown, unknown, number, string]>([
    ['a code that may not be sent', 999, 'why', 1011, 'why'],
    ['text for a code', '4000', '', 1011, ''],
    ['null for a code', null, '', 1011, ''],
    ['a reason that is too long', 4000, 'é'.repeat(62), 4000, 'é'.repeat(61)],
    ['a reason that is no text', 4000, 42, 4000, ''],
  ])('mends %s, and tells what came of it', (_name, code, reason, sentCode, sentReason) => {
    const connected = connect();
    void connected.owner.close(code as number, reason as string);
    connected.untilEnd();
    expect(connected.peer.closed).toMatchObject({ code: sentCode, reason: sentReason });
    expect(connected.told.met('invalid-close-arguments')).toBe(1);
    const { message } = connected.told.detail('invalid-close-arguments')!;
    expect(message).toContain(`${sentCode} ${JSON.stringify(sentReason)}`);
  });

  test('of one that closes without a code, a reason is no reason to name one', () => {
    const connected = connect();
    connected.owner.requestClose(undefined, 42);
    connected.untilEnd();
    expect(connected.told.detail('invalid-close-arguments')?.message).toContain('no code ""');
  });

  test('everybody gets the same outcome, which lists all of them', async () => {
    const connected = connect();
    const { owner, clock, told } = connected;
    const first = owner.close(1000, 'first');
    clock.setWallClock(1_000);
    const second = owner.close(4000, 'second');
    const third = owner.close(1001, 'third');
    connected.untilEnd();
    const fourth = owner.close(1011, 'too late');
    const outcome = await first;
    for (const other of [second, third, fourth, owner.closed, owner.terminate()]) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await other).toBe(outcome);
    }
    expect(outcome).toMatchObject({ code: 4000, reason: 'second', handshake: 'clean' });
    expect(outcome.requests).toEqual([
      { code: 1000, reason: 'first', at: clock.now() - 1_000, superseded: true },
      { code: 4000, reason: 'second', at: clock.now(), superseded: false },
      { code: 1001, reason: 'third', at: clock.now(), superseded: true },
    ]);
    expect(Object.isFrozen(outcome)).toBe(true);
    expect(told.met('concurrent-close')).toBe(2);
    expect(told.met('superseded-code')).toBe(2);
    expect(told.log.indexOf('superseded-code')).toBeLessThan(told.log.indexOf('closed'));
  });

  test('who needs no promise is called back once, with the outcome that everybody gets', async () => {
    const connected = connect();
    const { owner } = connected;
    const told: CloseOutcome[] = [];
    owner.submitClose(undefined, undefined, undefined, (outcome) => told.push(outcome));
    owner.submitClose(4000, 'second');
    const closed = owner.close();
    expect(told).toEqual([]);
    connected.untilEnd();
    expect(told).toEqual([await closed]);
    expect(told[0]!.requests.map(({ code, reason }) => [code, reason])).toEqual([
      [1000, ''],
      [4000, 'second'],
      [1000, ''],
    ]);
    owner.submitClose(4001, 'late', {}, (outcome) => told.push(outcome));
    expect(told[1]).toBe(told[0]);
    expect(told).toHaveLength(2);
  });

  test('a request that is superseded by another with the same code is not told as such', () => {
    const connected = connect();
    void connected.owner.close(4000, 'first');
    void connected.owner.close(4000, 'second');
    connected.untilEnd();
    expect(connected.told.met('superseded-code')).toBe(0);
    expect(connected.told.met('concurrent-close')).toBe(1);
  });

  test('a caller can pass its precedence; one that is no number is ignored', () => {
    const connected = connect();
    void connected.owner.close(1011, 'severe');
    void connected.owner.close(1000, 'first', { precedence: 100 });
    void connected.owner.close(1001, 'second', { precedence: Number.NaN });
    connected.untilEnd();
    expect(connected.told.outcome).toMatchObject({ code: 1000, reason: 'first' });
  });

  test('after the end only hands out what happened', async () => {
    const connected = connect();
    void connected.owner.close(4000);
    connected.untilEnd();
    const races = connected.told.races.length;
    const again = await connected.owner.close(999, 'é'.repeat(100), { flushTimeout: 1 });
    expect(again).toBe(connected.told.outcome);
    expect(connected.told.races).toHaveLength(races);
    expectNothingLeft(connected);
  });

  test('terminate() destroys the socket, whatever else is going on', async () => {
    const connected = frozen();
    const { owner, port } = connected;
    const closed = owner.close(4000);
    const terminated = owner.terminate();
    expect(port.calls).toContain('destroy');
    expect(owner.state).toBe('closing');
    connected.io.run();
    expect(await terminated).toBe(await closed);
    expect(await closed).toMatchObject({
      initiator: 'server',
      handshake: 'terminated',
      code: 1006,
      durationMs: 0,
    });
    expect(port.calls.some((call) => call.startsWith('close'))).toBe(false);
    expectNothingLeft(connected);
  });

  test('options that are none are as good as absent', () => {
    for (const options of [null, 42, 'finish', []]) {
      const connected = connect();
      void connected.owner.close(4000, 'bye', options as never);
      connected.untilEnd();
      expect(connected.told.outcome).toMatchObject({ code: 4000, handshake: 'clean' });
    }
  });

  test('a socket that is not open yet can be closed and terminated', () => {
    for (const end of ['close', 'terminate'] as const) {
      const connected = connect({ connecting: true });
      void connected.owner[end]();
      connected.untilEnd();
      expect(connected.told.outcome).toMatchObject({
        handshake: end === 'close' ? 'lost' : 'terminated',
      });
      expectNothingLeft(connected);
    }
  });

  test('the closed promise can be asked for before, while and after', async () => {
    const connected = connect();
    const before = connected.owner.closed;
    expect(connected.owner.closed).toBe(before);
    expect(await now(before)).toBe('pending');
    connected.owner.requestClose(4000);
    const during = connected.owner.closed;
    connected.untilEnd();
    expect(await before).toBe(connected.told.outcome);
    expect(await during).toBe(connected.told.outcome);
    expect(await connected.owner.closed).toBe(connected.told.outcome);
  });

  test('the duration is measured by the clock that nobody can set', async () => {
    const connected = frozen();
    const closed = connected.owner.close();
    connected.turn();
    connected.clock.advance(1_000);
    connected.clock.setWallClock(-3_600_000);
    connected.peer.reset();
    connected.io.run();
    expect(await closed).toMatchObject({ durationMs: 1_000 });
  });
});

describe('the peer closes', () => {
  test('it is answered with its own code, behind what was accepted', async () => {
    const connected = connect();
    const { owner, peer, io, port } = connected;
    owner.submit('one');
    peer.close(4002, 'leaving');
    io.run();
    expect(port.calls).not.toContain('close 4002');
    expect(owner.state).toBe('draining');
    connected.untilEnd();
    expect(wire(connected)).toEqual(['one', 'close 4002']);
    expect(await owner.closed).toMatchObject({
      initiator: 'peer',
      handshake: 'clean',
      code: 4002,
      reason: 'leaving',
      requests: [],
      acknowledged: false,
    });
    expectNothingLeft(connected);
  });

  test('a request of ours that comes meanwhile is listed, and changes nothing', () => {
    const connected = connect();
    connected.peer.close(4002);
    connected.io.run();
    void connected.owner.close(1011, 'severe');
    connected.untilEnd();
    expect(connected.told.outcome).toMatchObject({
      initiator: 'peer',
      code: 4002,
      requests: [{ code: 1011, superseded: true }],
    });
    expect(connected.peer.closed).toMatchObject({ code: 4002 });
  });

  test('where the two cross, a peer that discards what it reads then proves nothing', async () => {
    const connected = connect();
    const { owner, peer, told } = connected;
    peer.habits.discardsAfterClose = true;
    peer.pause();
    const sent = owner.send('discarded', { acknowledge: true });
    const closed = owner.close(4000);
    peer.close(4001);
    peer.resume();
    connected.untilEnd();
    expect(peer.messages).toEqual([]);
    expect(await sent).toMatchObject({ status: 'lost', sent: 'maybe' });
    expect(await closed).toMatchObject({ handshake: 'crossed', acknowledged: false, code: 4000 });
    expect(told.met('crossed-close')).toBe(1);
  });

  test('a pong to an earlier ping does not stand for the one before our close frame', async () => {
    const connected = connect();
    const { owner, peer, io, clock } = connected;
    peer.habits.answersPings = false;
    const sent = owner.send('one', { acknowledge: true });
    io.run();
    const ping = peer.frames.find(({ type }) => type === 'ping') as { payload: Buffer };
    owner.submit('two');
    void owner.close(4000);
    clock.endMacrotask();
    peer.pause();
    peer.pong(ping.payload);
    io.run();
    expect(await sent).toEqual({ status: 'acknowledged' });
    peer.close(4001);
    peer.resume();
    connected.untilEnd();
    expect(await owner.closed).toMatchObject({ handshake: 'crossed', acknowledged: false });
  });

  test('the end of its stream loses what is left', async () => {
    const connected = frozen();
    const { owner, peer, io } = connected;
    const waiting = owner.send('waiting');
    peer.end();
    io.run();
    expect(owner.state).toBe('closing');
    expect(await now(waiting)).toBe('pending');
    peer.resume();
    io.run();
    expect(await waiting).toEqual({ status: 'lost', cause: 'network', sent: 'no' });
    expect(await owner.closed).toMatchObject({
      initiator: 'network',
      handshake: 'lost',
      code: 1006,
    });
    expectNothingLeft(connected);
  });

  test('a reset ends it at once', async () => {
    const connected = connect();
    const sent = connected.owner.send('one', { acknowledge: true });
    connected.peer.reset();
    connected.io.run();
    expect(await sent).toMatchObject({ status: 'lost', cause: 'network', sent: 'maybe' });
    expect(connected.told.outcome).toMatchObject({ initiator: 'network', handshake: 'lost' });
    expect(connected.told.log).toEqual(['opened', 'closing', 'closed']);
    expectNothingLeft(connected);
  });

  test('one that breaks the protocol is told so, and why is told here', () => {
    const connected = connect();
    connected.owner.submit('one');
    connected.peer.breakProtocol(1007);
    connected.untilEnd();
    expect(connected.peer.closeFrame).toEqual({ code: 1007, reason: '' });
    expect(connected.told.detail('protocol-error')).toEqual({
      error: expect.objectContaining({ message: 'The peer broke the protocol.' }),
    });
    expect(connected.told.outcome).toMatchObject({ initiator: 'server', handshake: 'terminated' });
    expectNothingLeft(connected);
  });
});

describe('a close is bounded', () => {
  const FLUSH = 5_000;
  const HANDSHAKE = 5_000;
  const CAP = 30_000;

  test('a peer that reads and answers takes no time', async () => {
    await expectEnd(connect(), 0, { handshake: 'clean', acknowledged: true });
  });

  test('one that is frozen before all is written', async () => {
    const connected = frozen();
    const waiting = connected.owner.send('waiting');
    await expectEnd(connected, FLUSH, { handshake: 'terminated', code: 1006, lost: 2 });
    expect(await waiting).toEqual({ status: 'lost', cause: 'flush-timeout', sent: 'no' });
    expect(connected.told.met('flush-timeout')).toBe(1);
  });

  test('one that is frozen with all of it in the kernel', async () => {
    const connected = connect();
    connected.peer.pause();
    const sent = connected.owner.send('in the kernel');
    await expectEnd(connected, HANDSHAKE, {
      handshake: 'terminated',
      code: 4000,
      written: 1,
      lost: 0,
      acknowledged: false,
    });
    expect(await sent).toEqual({ status: 'written' });
    expect(connected.told.met('handshake-timeout')).toBe(1);
  });

  test('one that answers no pings', async () => {
    const connected = connect();
    connected.peer.habits.answersPings = false;
    connected.owner.submit('one');
    await expectEnd(connected, 0, { handshake: 'crossed', acknowledged: false });
  });

  test('one that reads all and never answers the close frame', async () => {
    const connected = connect();
    connected.peer.habits.answersClose = false;
    connected.owner.submit('one');
    await expectEnd(connected, HANDSHAKE, { handshake: 'terminated', acknowledged: true });
  });

  test('one that answers, and then keeps the socket open', async () => {
    const connected = connect();
    const { peer } = connected;
    peer.habits.answersClose = false;
    void connected.owner.close(4000);
    connected.turn();
    peer.close(4000);
    peer.pause();
    expect(connected.untilEnd()).toBe(0);
    expect(await connected.owner.closed).toMatchObject({ handshake: 'clean' });
    expectNothingLeft(connected);
  });

  test('the same where the socket waits for its end', async () => {
    const connected = connect();
    const { peer } = connected;
    connected.port.patient = true;
    peer.habits.answersClose = false;
    void connected.owner.close(4000);
    connected.turn();
    peer.close(4000);
    peer.pause();
    expect(connected.untilEnd()).toBe(HANDSHAKE);
    expect(await connected.owner.closed).toMatchObject({ handshake: 'clean' });
    expect(connected.told.met('handshake-timeout')).toBe(1);
    expectNothingLeft(connected);
  });

  test('one that ended its stream, and then takes nothing any more', () => {
    const connected = frozen();
    connected.peer.end();
    connected.io.run();
    expect(connected.untilEnd()).toBe(HANDSHAKE);
    expect(connected.told.outcome).toMatchObject({ initiator: 'network', lost: 1 });
    expectNothingLeft(connected);
  });

  test('one that closed, and takes no answer', () => {
    const connected = frozen();
    connected.peer.close(1001);
    connected.io.run();
    connected.owner.submit('in the macrotask');
    expect(connected.untilEnd()).toBe(FLUSH);
    expect(connected.told.outcome).toMatchObject({ initiator: 'peer', lost: 2 });
    expectNothingLeft(connected);
  });

  test('one that reads a message now and then, for as long as it does, up to the cap', async () => {
    const connected = connect({ kernelBuffer: KiB, policy: { send: { highWaterMark: 1 } } });
    const { owner, peer, clock, io, told } = connected;
    peer.pause();
    for (let index = 0; index < 100; index++) owner.submit(`${index}`.padStart(KiB, '.'));
    const closed = owner.close(4000);
    connected.turn();
    for (let seconds = 1; !told.outcome; seconds++) {
      clock.advance(1_000);
      if (seconds % 4 === 0) peer.read(2 * KiB);
      io.run();
    }
    expect(await closed).toMatchObject({ durationMs: CAP, handshake: 'terminated' });
    expect(told.met('flush-timeout')).toBe(1);
    expectNothingLeft(connected);
  });

  test('one that reads a message now and then is awaited as long as it does', async () => {
    const connected = connect({ kernelBuffer: KiB, policy: { send: { highWaterMark: 1 } } });
    const { owner, peer, clock, io } = connected;
    peer.pause();
    for (let index = 0; index < 5; index++) owner.submit(`${index}`.padStart(KiB, '.'));
    const closed = owner.close(4000);
    connected.turn();
    for (let index = 0; index < 5; index++) {
      clock.advance(4_999);
      peer.read(KiB + 4);
      io.run();
    }
    peer.resume();
    io.run();
    expect(await closed).toMatchObject({ handshake: 'clean', acknowledged: true, written: 5 });
    expect(connected.peer.messages).toHaveLength(5);
    expectNothingLeft(connected);
  });

  test('one that reads but a single huge message, whose progress only the kernel sees', async () => {
    const connected = connect({ kernelBuffer: KiB });
    const { owner, peer, clock, io } = connected;
    peer.pause();
    owner.submit('x'.repeat(20 * KiB));
    const closed = owner.close(4000);
    connected.turn();
    for (let index = 0; index < 5; index++) {
      clock.advance(3_999);
      peer.read(100);
      io.run();
      expect(owner.state).toBe('draining');
    }
    peer.resume();
    io.run();
    expect(await closed).toMatchObject({ handshake: 'clean', acknowledged: true, written: 1 });
    expect(clock.pendingTimers).toBe(0);
  });

  test('and one that stops to read that message', async () => {
    const connected = connect({ kernelBuffer: KiB });
    const { owner, peer, clock, io } = connected;
    peer.pause();
    owner.submit('x'.repeat(20 * KiB));
    const closed = owner.close(4000);
    connected.turn();
    clock.advance(2_500);
    peer.read(100);
    io.run();
    connected.untilEnd();
    const { durationMs } = await closed;
    expect(durationMs).toBeGreaterThanOrEqual(6_000);
    expect(durationMs).toBeLessThanOrEqual(7_500);
    expectNothingLeft(connected);
  });

  test('pongs of a slow reader are progress, too, when all is in the kernel', async () => {
    const connected = connect({
      kernelBuffer: 10_000 * KiB,
      policy: { send: { highWaterMark: 10_000 * KiB } },
    });
    const { owner, peer, clock, io } = connected;
    peer.pause();
    for (let index = 0; index < 16; index++) owner.submit('x'.repeat(256 * KiB));
    const closed = owner.close(4000);
    connected.turn();
    for (let index = 0; index < 5; index++) {
      clock.advance(4_999);
      peer.read(300 * KiB);
      io.run();
      expect(owner.state).toBe('closing');
    }
    peer.resume();
    io.run();
    expect(await closed).toMatchObject({ handshake: 'clean', acknowledged: true });
  });

  test('handlers that may finish have their own budget', async () => {
    const connected = connect();
    const { owner, peer, io, told } = connected;
    connected.handleBy(() => deferred().promise);
    peer.send('work');
    io.run();
    const closed = owner.close(4000, '', { handlers: 'finish' });
    expect(connected.untilEnd()).toBe(5_000);
    expect(await closed).toMatchObject({ handshake: 'clean', refusedReplies: 1 });
    expect(told.met('settle-timeout')).toBe(1);
    expectNothingLeft(connected);
  });

  test('all of its budgets together are less than the cap', () => {
    const connected = frozen();
    const { owner, peer, io } = connected;
    connected.handleBy(() => deferred().promise);
    peer.send('work');
    io.run();
    void owner.close(4000, '', { handlers: 'finish' });
    expect(connected.untilEnd()).toBe(5_000 + FLUSH);
    expectNothingLeft(connected);
  });

  test('a transport that never reports the end of a destroyed socket', async () => {
    const connected = frozen();
    connected.port.stuck = true;
    await expectEnd(connected, FLUSH + HANDSHAKE, { handshake: 'terminated' });
    expect(connected.told.met('transport-stuck')).toBe(1);
  });

  test.each<[string, CloseOptions, CloseOptions, number]>([
    ['flush', { flushTimeout: 1_000 }, {}, 1_000],
    ['flush of a later closer', {}, { flushTimeout: 200 }, 200],
    ['the tightest flush', { flushTimeout: 300 }, { flushTimeout: 4_000 }, 300],
    ['no budget that is longer', { flushTimeout: 60_000 }, {}, FLUSH],
  ])('by the budget of those who close: %s', (_name, first, second, after) => {
    const connected = frozen();
    void connected.owner.close(4000, '', first);
    void connected.owner.close(4000, '', second);
    expect(connected.untilEnd()).toBe(after);
    expectNothingLeft(connected);
  });

  test('a closer that comes in the middle of it can cut it short, from the last progress on', () => {
    const connected = frozen();
    const { clock, owner } = connected;
    void owner.close(4000);
    connected.turn();
    clock.advance(2_000);
    void owner.close(4000, '', { flushTimeout: 3_000 });
    expect(connected.untilEnd()).toBe(1_000);
  });

  test('a closer whose budget is over already ends it at once', () => {
    const connected = connect();
    connected.peer.pause();
    void connected.owner.close(4000);
    connected.turn();
    connected.clock.advance(2_000);
    void connected.owner.close(4000, '', { handshakeTimeout: 1_000 });
    expect(connected.untilEnd()).toBe(0);
    expect(connected.told.outcome).toMatchObject({ durationMs: 2_000 });
  });

  test('close() waits for no handler that awaits it', async () => {
    const connected = connect();
    const { owner, peer, io } = connected;
    const seen: CloseOutcome[] = [];
    connected.handleBy(async () => {
      seen.push(await owner.close(4000));
    });
    peer.send('work');
    io.run();
    expect(connected.untilEnd()).toBe(0);
    await microtasks();
    expect(seen).toEqual([connected.told.outcome]);
  });
});

describe('readiness', () => {
  const chat = { name: 'ChatGateway' };
  const audit = { name: 'AuditGateway' };

  test('without hooks it is open once they are known', () => {
    const { owner, told, clock } = connecting();
    expect(owner.state).toBe('open');
    expect(told.log).toEqual(['opened', 'ready']);
    expect(clock.pendingTimers).toBe(0);
  });

  test('nobody waits where the policy says so', () => {
    const { owner, told, seen, peer, io } = connecting({
      policy: { connect: { waitFor: 'nothing' } },
    });
    expect(owner.state).toBe('open');
    peer.send('at once');
    io.run();
    expect(seen).toEqual(['at once']);
    expect(told.log).toEqual(['opened']);
  });

  test('messages wait for every hook, and are dispatched in order', () => {
    const { owner, peer, io, seen, told } = connecting({}, chat, audit);
    for (const text of ['one', 'two', 'three']) peer.send(text);
    io.run();
    owner.settleHook(chat);
    expect(owner.state).toBe('connecting');
    expect(seen).toEqual([]);
    expect(told.met('early-message')).toBe(3);
    owner.settleHook(audit);
    expect(seen).toEqual(['one', 'two', 'three']);
    expect(owner.state).toBe('open');
    peer.send('four');
    io.run();
    expect(seen).toEqual(['one', 'two', 'three', 'four']);
    expect(told.met('early-message')).toBe(3);
  });

  test('hooks that are to begin later are waited for', () => {
    const connected = connect();
    const { owner } = connected;
    owner.awaitReadiness();
    owner.expectHook(chat);
    owner.sealReadiness();
    expect(owner.state).toBe('connecting');
    owner.beginHook(chat);
    owner.settleHook(chat);
    expect(owner.state).toBe('open');
    owner.settleHook(chat);
    expect(owner.state).toBe('open');
  });

  test('messages can be sent meanwhile', () => {
    const { owner, io, peer } = connecting({}, chat);
    owner.post('welcome');
    io.run();
    expect(peer.texts).toEqual(['{"event":"welcome"}']);
  });

  test('past the budget the socket is paused, and read on when it is ready', () => {
    const { owner, peer, io, port, seen, clock } = connecting(
      { policy: { connect: { maxPendingBytes: 100 } } },
      chat,
    );
    for (let index = 0; index < 10; index++) peer.send(`${index}`.repeat(60));
    io.run();
    expect(port.paused).toBe(true);
    owner.settleHook(chat);
    io.run();
    expect(seen.map((text) => text[0])).toEqual('0123456789'.split(''));
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a paused peer that leaves is found by the looks once a second', () => {
    const { owner, peer, io, port, clock, connected, seen } = connecting(
      { policy: { connect: { maxPendingBytes: 100 } } },
      chat,
    );
    peer.send('x'.repeat(120));
    peer.close(1001);
    io.run();
    expect(port.paused).toBe(true);
    expect(owner.state).toBe('connecting');
    clock.advance(1_000);
    io.run();
    expect(owner.state).toBe('draining');
    connected.untilEnd();
    expect(connected.told.outcome).toMatchObject({ initiator: 'peer', code: 1001 });
    expect(connected.told.met('message-after-close')).toBe(1);
    owner.settleHook(chat);
    expect(seen).toEqual([]);
    expectNothingLeft(connected);
  });

  test('one that closes meanwhile starts no handler any more', () => {
    const { owner, peer, io, seen, told, connected } = connecting({}, chat);
    peer.send('one');
    peer.send('two');
    io.run();
    void owner.close(4000);
    expect(told.met('message-after-close')).toBe(2);
    owner.settleHook(chat);
    peer.send('three');
    connected.untilEnd();
    expect(seen).toEqual([]);
    expect(told.met('message-after-close')).toBe(3);
    expect(told.log).not.toContain('ready');
    expectNothingLeft(connected);
  });

  test('a handler that closes ends the dispatch of those that waited', () => {
    const connected = connect();
    const { owner, peer, io, told } = connected;
    const seen: string[] = [];
    owner.awaitReadiness();
    owner.dispatchTo({
      dispatch: (data) => {
        seen.push((data as Buffer).toString());
        if (seen.length === 2) void owner.close(4000);
      },
    });
    owner.beginHook(chat);
    owner.sealReadiness();
    for (const text of ['one', 'two', 'three', 'four']) peer.send(text);
    io.run();
    owner.settleHook(chat);
    expect(seen).toEqual(['one', 'two']);
    expect(told.met('message-after-close')).toBe(2);
    connected.untilEnd();
    expectNothingLeft(connected);
  });

  test('not ready in time closes, and names who is waited for', () => {
    const { peer, told, connected, owner, seen } = connecting(
      { policy: { connect: { timeout: 700 } } },
      chat,
      audit,
    );
    peer.send('waiting');
    connected.io.run();
    connected.owner.settleHook(audit);
    connected.clock.advance(699);
    expect(owner.state).toBe('connecting');
    connected.clock.advance(1);
    connected.untilEnd();
    expect(peer.closed).toMatchObject({ code: 1013, reason: 'not ready in time' });
    const { message } = told.detail('ready-timeout')!;
    expect(message).toContain('handleConnection of ChatGateway has not settled within 700 ms');
    expect(message).toContain('connect.timeout');
    owner.settleHook(chat);
    expect(seen).toEqual([]);
    expectNothingLeft(connected);
  });

  test('a hook that rejects closes with what it asked for', () => {
    const { owner, peer, connected, told } = connecting({}, chat, audit);
    owner.reject(4401, 'who are you?');
    owner.settleHook(audit);
    connected.untilEnd();
    expect(peer.closed).toMatchObject({ code: 4401, reason: 'who are you?' });
    expect(told.outcome).toMatchObject({ initiator: 'server', code: 4401 });
    expectNothingLeft(connected);
  });

  test('arguments of a rejection that can not be sent are mended and told', () => {
    const { owner, peer, connected, told } = connecting({}, chat);
    owner.reject(99, 'x'.repeat(200));
    connected.untilEnd();
    expect(peer.closed).toMatchObject({ code: 1011, reason: 'x'.repeat(123) });
    expect(told.met('invalid-close-arguments')).toBe(1);
  });

  test('a hook that rejects once closing has begun changes nothing', () => {
    const { owner, peer, connected, told } = connecting({}, chat);
    void owner.close(4000);
    owner.reject(1011, 'because of the abort');
    connected.untilEnd();
    owner.reject(99, 'late');
    expect(peer.closed).toMatchObject({ code: 4000 });
    expect(told.outcome!.requests).toHaveLength(1);
    expect(told.met('invalid-close-arguments')).toBe(0);
    expectNothingLeft(connected);
  });

  test('a rejection of a hook that nobody waited for closes, too', () => {
    const { owner, peer, connected } = connecting({ policy: { connect: { waitFor: 'nothing' } } });
    owner.reject(4401, '');
    connected.untilEnd();
    expect(peer.closed).toMatchObject({ code: 4401 });
  });

  test('whenReady() calls at once where nothing is waited for, and else when that is over', () => {
    const { owner, told } = connecting({}, chat);
    const called: string[] = [];
    owner.whenReady(() => called.push(`first, ${owner.state}`));
    owner.whenReady(() => called.push(`second, ${owner.state}`));
    expect(called).toEqual([]);
    expect(told.met('early-message')).toBe(2);
    owner.settleHook(chat);
    expect(called).toEqual(['first, open', 'second, open']);
    owner.whenReady(() => called.push('third'));
    expect(called).toHaveLength(3);
    expect(told.met('early-message')).toBe(2);
  });

  test('whenReady() calls where it closes before that, and after it', () => {
    const { owner, connected } = connecting({}, chat);
    const called: string[] = [];
    owner.whenReady(() => called.push(owner.live ? 'live' : 'over'));
    void owner.close();
    expect(called).toEqual(['over']);
    connected.untilEnd();
    owner.whenReady(() => called.push('ended'));
    expect(called).toEqual(['over', 'ended']);
  });

  test('one who closes in whenReady() is followed by no other that is told it lives', () => {
    const { owner, connected } = connecting({}, chat);
    const called: string[] = [];
    owner.whenReady(() => {
      called.push('closes');
      void owner.close(4000);
    });
    owner.whenReady(() => called.push(owner.live ? 'live' : 'over'));
    owner.settleHook(chat);
    expect(called).toEqual(['closes', 'over']);
    connected.untilEnd();
    expectNothingLeft(connected);
  });

  test('who begins to wait once it is over waits for nothing', () => {
    const connected = connect();
    connected.owner.requestTerminate();
    connected.owner.awaitReadiness();
    connected.untilEnd();
    connected.owner.awaitReadiness();
    expect(connected.owner.state).toBe('closed');
    expectNothingLeft(connected);
  });

  test('dispatched tells whether messages come by the dispatcher', () => {
    const connected = connect();
    expect(connected.owner.dispatched).toBe(false);
    connected.owner.dispatchTo({ dispatch: () => {} });
    expect(connected.owner.dispatched).toBe(true);
    void connected.owner.terminate();
    connected.untilEnd();
    expect(connected.owner.dispatched).toBe(false);
  });

  test('without a dispatcher messages are nobody’s business', () => {
    const connected = connect();
    connected.owner.awaitReadiness();
    connected.peer.send('raw');
    connected.io.run();
    expect(connected.told.races).toEqual([]);
    expect(connected.owner.lastSeenAt).toBe(connected.clock.now());
  });

  test('a message of the peer, like a pong, shows that it lives', () => {
    const { owner, peer, io, clock } = connecting();
    clock.advance(1_000);
    peer.send('hello');
    io.run();
    expect(owner.lastSeenAt).toBe(clock.now());
    clock.advance(1_000);
    peer.pong(Buffer.from('unasked'));
    io.run();
    expect(owner.lastSeenAt).toBe(clock.now());
    expect(owner.state).toBe('open');
  });
});

describe('handlers', () => {
  test('reply through the owner, one after the other', async () => {
    const { connected, peer, io } = handling((data) => ({ event: 'echo', data }));
    peer.send('one');
    peer.send('two');
    io.run();
    expect(peer.texts).toEqual(['{"event":"echo","data":"one"}', '{"event":"echo","data":"two"}']);
    expect(connected.owner.inFlight).toBe(0);
  });

  test('none starts once closing has begun', () => {
    const handler = jest.fn();
    const { connected, owner, peer, told } = handling(handler);
    void owner.close(4000);
    peer.send('late');
    connected.untilEnd();
    expect(handler).not.toHaveBeenCalled();
    expect(told.met('message-after-close')).toBe(1);
  });

  test('a reply that can not be serialised is replaced by the frame of Nest for errors', () => {
    const { peer, io, told } = handling(() => 1n);
    peer.send('one');
    io.run();
    expect(peer.texts).toEqual([
      '{"event":"exception","data":{"status":"error","message":"Internal server error"}}',
    ]);
    expect(told.met('unserializable')).toBe(1);
  });

  test('where not even that can be serialised the client gets nothing', () => {
    const { peer, io, told, owner } = handling(() => 'reply', {
      encode: () => {
        throw new Error('broken');
      },
    });
    peer.send('one');
    io.run();
    expect(peer.texts).toEqual([]);
    expect(told.met('unserializable')).toBe(2);
    expect(owner.inFlight).toBe(0);
  });

  test('an error that no filter took is told', () => {
    const error = new Error('bug');
    const { peer, io, told } = handling(() => {
      throw error;
    });
    peer.send('one');
    io.run();
    expect(told.detail('handler-error')).toEqual({ error });
  });

  test('abort: the signal aborts at once, and what was in flight is refused', async () => {
    const work = deferred();
    const { connected, owner, peer, io, told } = handling(() => work.promise);
    peer.send('one');
    io.run();
    const closed = owner.close(4000);
    expect(owner.signal.aborted).toBe(true);
    expect(connected.untilEnd()).toBe(0);
    expect(await closed).toMatchObject({ refusedReplies: 1 });
    work.resolve('late');
    await microtasks();
    expect(told.met('reply-after-close')).toBe(1);
    expect(owner.totals).toMatchObject({ refused: 1 });
    expect(peer.messages).toEqual([]);
  });

  test('abort: a reply of the same macrotask still goes out', async () => {
    const work = deferred();
    const { connected, owner, peer, io } = handling(async () => {
      await work.promise;
      void owner.close(4000);
      return 'reply';
    });
    peer.send('one');
    io.run();
    work.resolve();
    await microtasks();
    connected.untilEnd();
    expect(wire(connected)).toEqual(['"reply"', 'ping', 'close 4000']);
    expect(await owner.closed).toMatchObject({ refusedReplies: 0, acknowledged: true });
  });

  test('finish: they may reply, then the close frame follows in the macrotask of the last', async () => {
    const [first, second] = [deferred(), deferred()];
    const { connected, owner, peer, io, clock } = handling((data) =>
      data === 'first' ? first.promise : second.promise,
    );
    peer.send('first');
    peer.send('second');
    io.run();
    const closed = owner.close(4000, '', { handlers: 'finish' });
    connected.turn();
    expect(owner.state).toBe('draining');
    expect(owner.signal.aborted).toBe(false);
    second.resolve('two');
    await microtasks();
    connected.turn();
    first.resolve('one');
    await microtasks();
    expect(owner.post('with the last reply')).toBe(true);
    clock.endMacrotask();
    expect(owner.signal.aborted).toBe(true);
    io.run();
    expect(wire(connected)).toEqual([
      '"two"',
      '"one"',
      '{"event":"with the last reply"}',
      'ping',
      'close 4000',
    ]);
    expect(await closed).toMatchObject({ refusedReplies: 0, handshake: 'clean' });
    expectNothingLeft(connected);
  });

  test('finish is the policy where it says so, and an option that is none is ignored', () => {
    const { connected, owner, peer, io } = handling(() => deferred().promise, {
      policy: { close: { handlers: 'finish' } },
    });
    peer.send('one');
    io.run();
    void owner.close(4000, '', { handlers: 'sometimes' as never });
    connected.turn();
    expect(owner.signal.aborted).toBe(false);
    void owner.close(4000, '', { handlers: 'abort' });
    expect(owner.signal.aborted).toBe(true);
    expect(connected.untilEnd()).toBe(0);
  });

  test('finish: once the peer has gone they are aborted', () => {
    for (const leave of ['close', 'end', 'reset'] as const) {
      const { connected, owner, peer, io } = handling(() => deferred().promise);
      peer.send('one');
      io.run();
      void owner.close(4000, '', { handlers: 'finish' });
      connected.turn();
      peer[leave]();
      io.run();
      expect(owner.signal.aborted).toBe(true);
      connected.untilEnd();
      expect(connected.told.outcome).toMatchObject({ refusedReplies: 1 });
      expectNothingLeft(connected);
    }
  });

  test('finish: what they send is flushed, however slowly', async () => {
    const work = deferred();
    const { connected, owner, peer, io, clock } = handling(() => work.promise);
    peer.send('one');
    io.run();
    peer.pause();
    const closed = owner.close(4000, '', { handlers: 'finish' });
    connected.turn();
    work.resolve('x'.repeat(200 * KiB));
    await microtasks();
    connected.turn();
    expect(owner.state).toBe('draining');
    clock.advance(4_000);
    peer.resume();
    io.run();
    expect(await closed).toMatchObject({
      handshake: 'clean',
      acknowledged: true,
      durationMs: 4_000,
    });
    expect(peer.messages).toHaveLength(1);
  });

  test('an Observable is cut at once, and its values are refused from then on', () => {
    const values = new Subject();
    const { connected, owner, peer, io, told } = handling(() => values);
    peer.send('one');
    io.run();
    values.next('before');
    void owner.close(4000);
    expect(values.observed).toBe(false);
    expect(told.met('stream-cut')).toBe(1);
    connected.untilEnd();
    expect(connected.told.outcome).toMatchObject({ refusedReplies: 1 });
    expect(peer.texts).toEqual(['"before"']);
  });

  test('one that has given nothing yet has the macrotask of the close to do so', () => {
    const values = new Subject();
    const { connected, owner, peer, io } = handling(() => values);
    peer.send('one');
    io.run();
    void owner.close(4000);
    expect(values.observed).toBe(true);
    values.next('in time');
    connected.turn();
    expect(values.observed).toBe(false);
    expect(wire(connected)).toEqual(['"in time"', 'ping', 'close 4000']);
  });

  test.each(['close', 'end', 'reset', 'breakProtocol'] as const)(
    'none is left subscribed where the peer leaves by %s, not even one that began then',
    async (leave) => {
      const work = deferred();
      const [begun, patient, late] = [new Subject(), new Subject(), new Subject()];
      const { connected, peer, io, owner } = handling((data) => {
        if (data === 'begun') return begun;
        return data === 'patient' ? patient : work.promise;
      });
      for (const text of ['begun', 'patient', 'late']) peer.send(text);
      io.run();
      begun.next(1);
      peer[leave]();
      io.run();
      work.resolve(late);
      await microtasks();
      connected.untilEnd();
      expect([begun.observed, patient.observed, late.observed]).toEqual([false, false, false]);
      expect(owner.inFlight).toBe(0);
      expect(connected.told.outcome).toMatchObject({ refusedReplies: 3 });
      expectNothingLeft(connected);
    },
  );

  test('refused replies add up: those refused, those cut, and those still in flight', async () => {
    const [inTime, late, never] = [deferred(), deferred(), deferred()];
    const values = new Subject();
    const replies: Record<string, unknown> = {
      inTime: inTime.promise,
      late: late.promise,
      never: never.promise,
      values,
    };
    const { connected, owner, peer, io } = handling((data) => replies[data]);
    for (const name of Object.keys(replies)) peer.send(name);
    io.run();
    values.next('value');
    peer.pause();
    const closed = owner.close(4000);
    inTime.resolve('reply');
    await microtasks();
    connected.turn();
    late.resolve('reply');
    await microtasks();
    peer.resume();
    connected.untilEnd();
    never.resolve('reply');
    await microtasks();
    expect(await closed).toMatchObject({ refusedReplies: 3 });
    expect(owner.calls.refusedReplies).toBe(3);
    expect(wire(connected)).toEqual(['"value"', '"reply"', 'ping', 'close 4000']);
  });

  test('a handler that ends with nothing once it was aborted is refused nothing', async () => {
    const work = deferred();
    const { connected, owner, peer, io } = handling(() => work.promise);
    peer.send('one');
    io.run();
    peer.pause();
    void owner.close(4000);
    connected.turn();
    work.resolve(undefined);
    await microtasks();
    peer.resume();
    connected.untilEnd();
    expect(connected.told.outcome).toMatchObject({ refusedReplies: 0 });
  });
});

test('everybody who waits for the end is told of it, once, as soon as the socket has told', async () => {
  const { owner, peer, turn } = bound(connect());
  const told: string[] = [];
  owner.onceEnded(({ code }) => told.push(`first ${code}`));
  owner.onceEnded(({ code }) => told.push(`second ${code}`));
  owner.reportEnd();
  expect(told).toEqual([]);
  peer.close(1000);
  turn();
  owner.reportEnd();
  expect(told).toEqual(['first 1000', 'second 1000']);
  await microtasks();
  expect(told).toHaveLength(2);
});

test('a message that waits stays what it was', () => {
  const { owner } = connect();
  expect(owner.dispatcher).toBeUndefined();
  const seen: [string, boolean][] = [];
  owner.awaitReadiness();
  owner.dispatchTo({ dispatch: (data, isBinary) => seen.push([String(data), isBinary]) });
  owner.onMessage(Buffer.from('text'), false);
  owner.onMessage(Buffer.from('binary'), true);
  owner.sealReadiness();
  expect(seen).toEqual([
    ['text', false],
    ['binary', true],
  ]);
});

/** Handlers that end when they are told to; more messages than start at once. */
function crowd(messages: number) {
  const gate = deferred();
  const started: string[] = [];
  const connected = handling((data) => {
    started.push(data);
    return gate.promise;
  });
  for (let index = 0; index < messages; index++) connected.peer.send(String(index));
  connected.io.run();
  return { ...connected, started, gate };
}

describe('many messages of one read', () => {
  test('start 32 handlers, and the next 32 once the microtasks have run, in order', () => {
    const { started, clock, told } = crowd(80);
    expect(started).toHaveLength(32);
    clock.endMacrotask();
    expect(started).toHaveLength(64);
    clock.endMacrotask();
    expect(started).toEqual(Array.from({ length: 80 }, (_, index) => String(index)));
    expect(told.races).toEqual([]);
  });

  test('keep their order with one that comes when there is room again', async () => {
    const { started, gate, peer, io, owner, turn } = crowd(33);
    gate.resolve();
    await microtasks();
    expect(owner.inFlight).toBe(0);
    peer.send('later');
    io.run();
    expect(started).toHaveLength(32);
    turn();
    expect(started.slice(-2)).toEqual(['32', 'later']);
  });

  test.each(['closes', 'ends its side', 'breaks off'])('are not lost where the peer %s', (how) => {
    const { started, peer, io, owner } = crowd(50);
    expect(started).toHaveLength(32);
    if (how === 'closes') peer.close(1000);
    else if (how === 'ends its side') owner.onPeerEnd();
    else owner.onProtocolFailure(1002, new Error('no'));
    io.run();
    expect(started).toHaveLength(50);
  });

  test('start no handler once the server has closed, and are told of', () => {
    const { started, owner, told, turn } = crowd(50);
    owner.requestClose(1000);
    turn();
    expect(started).toHaveLength(32);
    expect(told.met('message-after-close')).toBe(18);
  });
});

describe('user code in the middle of it all', () => {
  test('a settlement may send, close and terminate', () => {
    const connected = connect();
    const { owner } = connected;
    const sent: SendOutcome[] = [];
    owner.submit('one', undefined, () => {
      owner.submit('two', undefined, (outcome) => sent.push(outcome));
      void owner.close(4000);
      owner.submit('three', undefined, (outcome) => sent.push(outcome));
    });
    connected.io.run();
    connected.untilEnd();
    expect(wire(connected)).toEqual(['one', 'two', 'three', 'ping', 'close 4000']);
    expect(sent).toEqual([{ status: 'written' }, { status: 'written' }]);
    expectNothingLeft(connected);
  });

  test('a settlement that terminates loses what comes behind it, and that is told once', () => {
    const connected = frozen();
    const { owner, peer, io } = connected;
    const settled: string[] = [];
    owner.submit('one', undefined, ({ status }) => {
      settled.push(`one ${status}`);
      owner.requestTerminate();
    });
    owner.submit('two', undefined, ({ status }) => settled.push(`two ${status}`));
    peer.resume();
    io.run();
    connected.untilEnd();
    expect(settled).toEqual(['one written', 'two lost']);
    expectNothingLeft(connected);
  });

  test('settlements of the end may do anything: it has ended', async () => {
    const connected = frozen();
    const { owner, told } = connected;
    const inside: SendOutcome[] = [];
    let closed!: Promise<CloseOutcome>;
    owner.submit('one', undefined, () => {
      owner.submit('late', undefined, (outcome) => inside.push(outcome));
      closed = owner.close(1011, 'late');
      owner.requestTerminate();
      void owner.acknowledged();
    });
    void owner.terminate();
    connected.untilEnd();
    expect(inside).toEqual([{ status: 'refused', cause: 'closed' }]);
    expect(await closed).toBe(told.outcome);
    await microtasks();
    expectNothingLeft(connected);
  });

  test('listeners of the signal may send, close and terminate', () => {
    const connected = connect();
    const { owner } = connected;
    const outcomes: SendOutcome[] = [];
    owner.signal.addEventListener('abort', () => {
      owner.submit('farewell', undefined, (outcome) => outcomes.push(outcome));
      void owner.close(4001, 'by the listener');
    });
    void owner.close(4000, 'first');
    connected.untilEnd();
    expect(wire(connected)).toEqual(['farewell', 'ping', 'close 4000']);
    expect(outcomes).toEqual([{ status: 'written' }]);
    expect(connected.told.outcome!.requests).toHaveLength(2);
    expectNothingLeft(connected);
  });

  test('a listener of the signal that terminates ends it', () => {
    const connected = connect();
    connected.owner.signal.addEventListener('abort', () => connected.owner.requestTerminate());
    void connected.owner.close(4000);
    connected.untilEnd();
    expect(connected.told.outcome).toMatchObject({ handshake: 'terminated', code: 1006 });
    expectNothingLeft(connected);
  });

  test('observers may send, close and terminate at whatever they are told', () => {
    for (const line of ['closing', 'closed', 'concurrent-close', 'stream-cut', 'superseded-code']) {
      for (const act of ['send', 'close', 'terminate', 'acknowledged'] as const) {
        const connected = connect();
        const { owner, told, peer, io } = connected;
        const values = new Subject();
        connected.handleBy(() => values);
        peer.send('one');
        io.run();
        values.next(1);
        let acted = 0;
        told.during = (event) => {
          if (event !== line || ++acted > 3) return;
          if (act === 'send') void owner.send('from the observer');
          else if (act === 'close') void owner.close(1011, 'from the observer');
          else if (act === 'terminate') void owner.terminate();
          else void owner.acknowledged(100);
        };
        void owner.close(4000);
        void owner.close(4001);
        connected.untilEnd();
        expect(acted).toBeGreaterThan(0);
        expect(told.outcomes).toHaveLength(1);
        expect(told.met('illegal-event')).toBe(0);
        expect(connected.connections.size).toBe(0);
      }
    }
  });

  test('an observer that throws is no trouble to the connection', () => {
    const connected = connect();
    connected.told.during = () => {
      throw new Error('dashboard');
    };
    void connected.owner.close(4000);
    void connected.owner.close(4001);
    connected.untilEnd();
    expect(connected.told.outcome).toMatchObject({ code: 4000, handshake: 'clean' });
    expectNothingLeft(connected);
  });

  test('a message whose toJSON() closes is sent before the close frame', () => {
    const connected = connect();
    const { owner } = connected;
    owner.post('one', {
      toJSON() {
        void owner.close(4000);
        return 'text';
      },
    });
    connected.untilEnd();
    expect(wire(connected)).toEqual(['{"event":"one","data":"text"}', 'ping', 'close 4000']);
  });

  test('a handler that ends in the middle of its own abort changes nothing', () => {
    const connected = connect();
    const { owner, peer, io } = connected;
    const other = new Subject();
    connected.handleBy((data) =>
      data === 'other'
        ? other
        : new Observable((subscriber) => {
            subscriber.next('begun');
            return () => other.complete();
          }),
    );
    peer.send('one');
    peer.send('other');
    io.run();
    void owner.close(4000, '', { handlers: 'finish' });
    connected.turn();
    void owner.close(4000, '', { handlers: 'abort' });
    expect(owner.inFlight).toBe(0);
    connected.untilEnd();
    expect(wire(connected)).toEqual(['"begun"', 'ping', 'close 4000']);
    expectNothingLeft(connected);
  });

  test('a teardown that sends in the macrotask of the close still gets through', () => {
    const connected = connect();
    const { owner, peer, io } = connected;
    connected.handleBy(
      () =>
        new Observable((subscriber) => {
          subscriber.next('begun');
          return () => owner.post('torn down');
        }),
    );
    peer.send('one');
    io.run();
    void owner.close(4000);
    connected.untilEnd();
    expect(wire(connected)).toEqual(['"begun"', '{"event":"torn down"}', 'ping', 'close 4000']);
  });
});

describe('the socket', () => {
  test('a pong that is faster than the callback of its message upsets nothing', async () => {
    const connected = connect();
    const { owner, io, clock, told } = connected;
    const acknowledged = owner.send('one', { acknowledge: true });
    const written = owner.send('two');
    const closed = owner.close(4000);
    io.run('reading');
    io.run('arrival');
    expect(await acknowledged).toEqual({ status: 'acknowledged' });
    clock.endMacrotask();
    io.run('reading');
    io.run('arrival');
    connected.untilEnd();
    expect(await written).toEqual({ status: 'written' });
    expect(await closed).toMatchObject({ handshake: 'clean', acknowledged: true, written: 2 });
    expect(told.races).toEqual([]);
    expectNothingLeft(connected);
  });

  test('a pong in the middle of a flush is progress, and no flush is ended by it', async () => {
    const connected = connect({ kernelBuffer: 1_000 * KiB });
    const { owner, io, clock, told } = connected;
    for (let index = 0; index < 3; index++) owner.submit('x'.repeat(100 * KiB));
    const closed = owner.close(4000);
    clock.endMacrotask();
    expect(owner.state).toBe('draining');
    io.run('reading');
    io.run('arrival');
    expect(owner.state).toBe('draining');
    connected.untilEnd();
    expect(await closed).toMatchObject({ handshake: 'clean', acknowledged: true });
    expect(told.races).toEqual([]);
  });

  test('what it reports once it is over is told, and changes nothing', async () => {
    const connected = connect();
    const { owner, told } = connected;
    void owner.terminate();
    connected.untilEnd();
    const outcome = await owner.closed;
    owner.onClosed();
    owner.onPeerEnd();
    owner.onPeerClose({ code: 1000, reason: '' });
    owner.onProtocolFailure(1002, new Error('late'));
    owner.onMessage(Buffer.from('late'), false);
    owner.onPong(Buffer.from('late'));
    owner.onProgress();
    owner.onFlushed();
    owner.onHandlersSettled();
    owner.sealReadiness();
    expect(told.met('late-socket-event')).toBe(6);
    expect(await owner.closed).toBe(outcome);
    expectNothingLeft(connected);
  });

  test('reports twice, or in no good order, do no harm', () => {
    const connected = connect();
    const { owner, told } = connected;
    owner.onPeerClose({ code: 4001, reason: '' });
    owner.onPeerEnd();
    owner.onPeerEnd();
    owner.onProtocolFailure(1002, new Error('late'));
    owner.onClosed();
    owner.onClosed();
    connected.clock.endMacrotask();
    expect(told.outcomes).toHaveLength(1);
    expect(told.outcome).toMatchObject({ initiator: 'peer', code: 4001 });
    expectNothingLeft(connected);
  });

  test('what can not happen is told as our own defect, and changes nothing', () => {
    const connected = connect();
    connected.owner.onFlushed();
    expect(connected.told.detail('illegal-event')).toEqual({
      error: expect.objectContaining({ code: 'ERR_ILLEGAL_EVENT' }),
    });
    expect(connected.owner.state).toBe('open');
  });

  test('a message that is accepted while the socket takes none any more is lost', async () => {
    const connected = connect();
    const { owner, peer, io, port } = connected;
    owner.awaitReadiness();
    peer.end();
    port.listener = { ...port.listener, onPeerEnd: () => {}, onClosed: () => {} };
    io.run();
    expect(port.writable).toBe(false);
    const sent = owner.send('one');
    io.run();
    owner.onClosed();
    expect(await sent).toMatchObject({ status: 'lost', cause: 'network' });
    expect(owner.totals).toMatchObject({ accepted: 1, written: 0, lost: 1 });
  });

  test('ends while messages are being handed over lose them, each once', async () => {
    const connected = connect({ kernelBuffer: KiB, policy: { send: { highWaterMark: 100 } } });
    const { owner, peer, io, told } = connected;
    peer.pause();
    const sends = Array.from({ length: 50 }, (_, index) => owner.send(`${index}`.repeat(100)));
    peer.read(700);
    io.runNext('written');
    peer.reset();
    io.run();
    const outcomes = await Promise.all(sends);
    expect(outcomes.map(({ status }) => status)).not.toContain('pending');
    const lost = outcomes.filter(({ status }) => status === 'lost').length;
    expect(lost).toBe(told.outcome!.lost);
    expect(50 - lost).toBe(told.outcome!.written);
    expectNothingLeft(connected);
  });
});

describe('the hooks of a connection', () => {
  const CHAT = { name: 'Chat' };

  test('after its end begin once handleConnection and the handlers have ended', async () => {
    const connected = connect();
    const { owner, peer } = connected;
    const log: string[] = [];
    const gate = deferred();
    connected.handleBy(() => gate.promise);
    peer.send('work');
    connected.io.run();
    owner.beginHook(CHAT);
    owner.onceEnded(({ code }) => {
      log.push(`ended ${code}`);
      owner.disconnect(CHAT, () => void log.push('D'));
    });
    void owner.closed.then(() => log.push('closed'));
    peer.close(1000);
    connected.turn();
    await microtasks();
    expect(log).toEqual(['closed', 'ended 1000']);
    expect(owner.busyWith(CHAT)).toBe('handleConnection of Chat');
    owner.settleHook(CHAT);
    expect(owner.busyWith(CHAT)).toBe('the last of 1 handlers');
    expect(log).toHaveLength(2);
    gate.resolve();
    await microtasks();
    expect(owner.busyWith(CHAT)).toBeUndefined();
    expect(log).toEqual(['closed', 'ended 1000', 'D']);
    expectNothingLeft(connected);
  });

  test('after its end do not wait for handlers beyond the end of a drain', async () => {
    const connected = connect();
    const { owner, clock, told } = connected;
    owner.calls.run(() => new Promise(() => {}), undefined, 'work');
    let begun = false;
    owner.onceEnded(() => owner.disconnect(CHAT, () => void (begun = true)));
    owner.endBy(clock.monotonic() + 300);
    void owner.terminate();
    connected.turn();
    await microtasks();
    clock.advance(299);
    expect(begun).toBe(false);
    clock.advance(1);
    expect(begun).toBe(true);
    expect(told.detail('hook-timeout')?.message).toContain('within 300 ms');
    expectNothingLeft(connected);
  });

  test('never begin after its end where they never began before it', async () => {
    const connected = connect();
    const { owner } = connected;
    const log: string[] = [];
    owner.expectHook(CHAT);
    owner.onceEnded(() => owner.disconnect(CHAT, () => void log.push('D')));
    void owner.terminate();
    connected.turn();
    await microtasks();
    owner.neverBegun(CHAT);
    expect(log).toEqual([]);
    expectNothingLeft(connected);
  });

  test('are nothing to one that ends without any', async () => {
    const connected = connect();
    connected.owner.neverBegun(CHAT);
    void connected.owner.terminate();
    connected.turn();
    await microtasks();
    expectNothingLeft(connected);
  });

  test('wait while it is held, and nothing is read meanwhile', async () => {
    const { owner, port, clock } = connect();
    const gate = deferred();
    owner.hold(gate.promise);
    let begun = false;
    void owner.held!.then(() => (begun = true));
    await microtasks();
    expect([begun, port.paused]).toEqual([false, true]);
    gate.resolve();
    await microtasks();
    expect([begun, port.paused, owner.held]).toEqual([true, true, undefined]);
    clock.endMacrotask();
    expect(port.paused).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('are held no longer than connect.timeout', async () => {
    const { owner, clock } = connect({ policy: { connect: { timeout: 500 } } });
    owner.hold(new Promise(() => {}));
    let begun = false;
    void owner.held!.then(() => (begun = true));
    clock.advance(500);
    await microtasks();
    expect(begun).toBe(true);
  });
});

describe('what is done once the hooks have accepted a connection', () => {
  test('comes before the first handler, and is waited for', async () => {
    const connected = connect();
    const { owner, peer } = connected;
    const log: string[] = [];
    const gate = deferred();
    connected.handleBy((data) => void log.push(data));
    owner.awaitReadiness();
    owner.acceptBy(() => {
      log.push('asked');
      return gate.promise;
    });
    peer.send('early');
    connected.io.run();
    owner.sealReadiness();
    expect([log, owner.accepted]).toEqual([['asked'], false]);
    gate.resolve();
    await microtasks();
    expect([log, owner.accepted]).toEqual([['asked', 'early'], true]);
  });

  test('is done where nobody waits for hooks, too, and at once where it can be', () => {
    const { owner } = connect({ policy: { connect: { waitFor: 'nothing' } } });
    let asked = 0;
    owner.acceptBy(() => void asked++);
    owner.awaitReadiness();
    owner.sealReadiness();
    owner.sealReadiness();
    expect(asked).toBe(1);
  });

  test('is not done for one that was rejected', () => {
    const { owner } = connect();
    let asked = 0;
    owner.acceptBy(() => void asked++);
    owner.awaitReadiness();
    owner.reject(4403, 'no');
    owner.sealReadiness();
    expect(asked).toBe(0);
  });
});

describe('whose a connection is', () => {
  test('is what it says, and costs it its place where there are too many once it is ready', () => {
    const connected = connect({
      policy: { session: { maxPerIdentity: 0, onExcess: 'reject-new' } },
    });
    const { owner, told } = connected;
    expect([owner.identity, owner.anyLeaving]).toEqual([undefined, false]);
    owner.awaitReadiness();
    owner.claim('ann');
    expect([owner.identity, owner.live]).toEqual(['ann', true]);
    owner.sealReadiness();
    expect(owner.live).toBe(false);
    expect(told.met('session-excess')).toBe(1);
  });

  test('makes others wait for its hooks, no longer than handlers.settleTimeout', async () => {
    const connected = connect({ policy: { handlers: { settleTimeout: 200 } } });
    const { owner, clock, told, runtime } = connected;
    await owner.identify('ann');
    expect(owner.leaversOf('ann')).toBeUndefined();
    expect(owner.leaversOf(undefined)).toBeUndefined();
    const gate = deferred();
    owner.onceEnded(() => owner.disconnect({ name: 'Chat' }, () => gate.promise));
    void owner.terminate();
    expect([owner.anyLeaving, runtime.sessions.leaving]).toEqual([true, 1]);
    connected.turn();
    await microtasks();
    const patient = owner.leaversOf('ann')!;
    expect(await now(patient)).toBe('pending');
    clock.advance(200);
    await patient;
    expect(told.met('hook-timeout')).toBe(1);
    const lucky = owner.leaversOf('ann')!;
    gate.resolve();
    await lucky;
    expect(told.met('hook-timeout')).toBe(1);
    expect([owner.anyLeaving, clock.pendingTimers]).toEqual([false, 0]);
  });

  test('may end with its credential, or its age', () => {
    const { owner, clock } = connect();
    owner.expiresAt(new Date(clock.now() + 100));
    clock.advance(100);
    expect(owner.live).toBe(false);
    const old = connect({ policy: { session: { maxAge: 1_000 } } });
    old.clock.advance(950);
    expect(old.owner.live).toBe(false);
  });
});

describe('signs of life', () => {
  const policy = { heartbeat: { interval: 1_000, timeout: 500 } };

  test('of a peer that answers keep it, and say how far it is away', () => {
    const connected = connect({ policy });
    const { owner, clock, io, port } = connected;
    expect(owner.latency).toBeUndefined();
    expect(owner.listening).toBe(true);
    // Each answer is read up to 7 ms late.
    const latencies = new Set<number>();
    for (let time = 0; time < 10_000; time += 7) {
      clock.advance(7);
      io.run();
      latencies.add(owner.latency ?? 0);
    }
    expect(owner.state).toBe('open');
    expect(Math.max(...latencies)).toBeGreaterThan(0);
    expect(Math.max(...latencies)).toBeLessThanOrEqual(7);
    port.pause();
    expect(owner.listening).toBe(false);
  });

  test('that do not come end it as lost to the network', () => {
    const connected = connect({ policy });
    const { peer, clock, told } = connected;
    peer.pause();
    clock.advance(2_000);
    connected.turn();
    expect(told.outcome).toMatchObject({ initiator: 'network', handshake: 'lost', code: 1006 });
    expect(told.met('peer-lost')).toBe(1);
    expectNothingLeft(connected);
  });

  test('are what a slow reader takes, and not what lies there', () => {
    const slow = frozen({ policy, kernelBuffer: 8 * KiB });
    const still = frozen({ policy, kernelBuffer: 8 * KiB });
    for (const { clock, io, peer, port, owner } of [slow, still]) {
      let mark = 0;
      port.progressMark = () => mark;
      for (let time = 0; time < 5_000; time += 100) {
        if (owner === slow.owner) mark++;
        clock.advance(100);
        io.run();
      }
      expect(peer.messages).toEqual([]);
    }
    expect([slow.owner.live, still.owner.live]).toEqual([true, false]);
  });

  test('are its own pings, too', () => {
    const connected = connect();
    const { owner, clock, peer, io } = connected;
    clock.advance(50);
    peer.ping(Buffer.from('there?'));
    io.run();
    expect(owner.lastSeenAt).toBe(clock.now());
  });
});

describe('a server that drains', () => {
  test('starts no handler of what comes now, nor of what waited', () => {
    const connected = connect();
    const { owner, peer, told } = connected;
    const handled: string[] = [];
    connected.handleBy((data) => void handled.push(data));
    owner.awaitReadiness();
    peer.send('early');
    connected.io.run();
    owner.stopDispatch();
    expect(owner.dispatching).toBe(false);
    owner.sealReadiness();
    peer.send('late');
    connected.io.run();
    expect(handled).toEqual([]);
    expect(told.met('message-while-draining')).toBe(2);
  });

  test('starts none of who comes to dispatch too late', () => {
    const connected = connect();
    connected.owner.stopDispatch();
    const handled: string[] = [];
    connected.handleBy((data) => void handled.push(data));
    connected.peer.send('late');
    connected.io.run();
    expect(handled).toEqual([]);
  });
});

describe('rooms', () => {
  test('are joined and left, and can be read after the end', () => {
    const connected = connect();
    const { owner, runtime, told } = connected;
    expect([...owner.rooms]).toEqual([]);
    owner.leave('none');
    owner.join('a', 'b', 'c');
    owner.leave('b');
    expect([...owner.rooms]).toEqual(['a', 'c']);
    expect([...runtime.rooms.membersOf('a')]).toEqual([owner]);
    owner.join('', 'd');
    expect(told.detail('invalid-room')?.message).toContain("''");
    void owner.close(4000);
    owner.join('late');
    connected.untilEnd();
    expect([...owner.rooms]).toEqual(['a', 'c']);
    expect(runtime.rooms.size).toBe(0);
  });

  test('of an identity change with it, and end with the connection', async () => {
    const connected = connect();
    const { owner, runtime } = connected;
    await owner.identify('ann');
    await owner.identify('ann');
    expect([...runtime.identities.membersOf('ann')]).toEqual([owner]);
    await owner.identify('bob');
    expect(runtime.identities.membersOf('ann').size).toBe(0);
    expect([...runtime.identities.membersOf('bob')]).toEqual([owner]);
    void owner.terminate();
    connected.untilEnd();
    expect(runtime.identities.size).toBe(0);
  });
});

describe('a slow consumer', () => {
  const LIMITS = { send: { highWaterMark: 100, maxBuffered: 100 } } as const;

  function congested(overflow: OverflowPolicy = 'close'): Connected {
    const connected = connect({
      kernelBuffer: 100,
      policy: { send: { ...LIMITS.send, overflow }, close: { flushTimeout: 50 } },
    });
    connected.peer.pause();
    for (let count = 0; count < 2; count++) void connected.owner.send('x'.repeat(98));
    return connected;
  }

  test('is closed with 1013, and what it lost stands in the outcome', async () => {
    const connected = congested();
    const { owner, told } = connected;
    const refused = owner.send('x'.repeat(98));
    expect(await refused).toEqual({ status: 'refused', cause: 'overflow' });
    expect(owner.state).toBe('draining');
    connected.untilEnd();
    expect(told.outcome).toMatchObject({
      initiator: 'server',
      requests: [{ code: 1013, reason: 'slow consumer' }],
      lost: 1,
    });
    expect(told.log.slice(1, 3)).toEqual(['send-overflow', 'closing']);
    expect(told.met('slow-consumer')).toBe(1);
  });

  test('is closed once, however much more is sent to it', () => {
    const connected = congested();
    for (let count = 0; count < 5; count++) connected.owner.post('more', 'x'.repeat(98));
    expect(connected.told.met('slow-consumer')).toBe(1);
    expect(connected.told.met('send-overflow')).toBe(5);
  });

  test('has its oldest messages dropped, or its senders refused, where that is the policy', () => {
    const dropping = congested('drop-oldest');
    expect(dropping.owner.post('more', 'x'.repeat(90))).toBe(false);
    const small = connect({
      kernelBuffer: 100,
      policy: { send: { highWaterMark: 100, maxBuffered: 210, overflow: 'drop-oldest' } },
    });
    small.peer.pause();
    for (let count = 0; count < 4; count++) void small.owner.send('x'.repeat(98));
    expect(small.told.met('send-overflow')).toBe(1);
    expect(small.owner.totals.dropped).toBe(1);
    const waiting = congested('wait');
    void waiting.owner.send('waits');
    void waiting.owner.terminate();
    expect(waiting.told.met('send-after-close')).toBe(1);
  });

  test('leaves room to who waits for it', async () => {
    const connected = congested('refuse');
    const { owner, peer, io } = connected;
    const { room } = owner;
    expect(room).toBeInstanceOf(Promise);
    peer.resume();
    io.run();
    expect(await room).toBe(true);
    expect(owner.room).toBe(true);
    expect(await owner.writable()).toBe(true);
  });

  test('may have what waits as closing begins', async () => {
    const connected = connect({
      kernelBuffer: 100,
      policy: { send: { highWaterMark: 100, maxBuffered: 200, overflow: 'wait' } },
    });
    const { owner, peer } = connected;
    peer.pause();
    for (let count = 0; count < 2; count++) void owner.send('x'.repeat(98));
    const waits = owner.send('waits');
    void owner.close(4000);
    peer.resume();
    connected.untilEnd();
    expect(await waits).toEqual({ status: 'written' });
    expect(peer.texts.at(-1)).toBe('waits');
  });
});

function kept(onUnacknowledged: OnUnacknowledged): Connected {
  const connected = connect({ policy: { send: { onUnacknowledged } } });
  connected.peer.habits.answersPings = false;
  connected.owner.post('a');
  void connected.owner.terminate();
  return connected;
}

describe('what is not acknowledged', () => {
  test('is handed back, and a drain waits for who takes it', async () => {
    const taken = deferred();
    const seen: unknown[] = [];
    const connected = kept(async (connection, messages) => {
      seen.push(connection, messages);
      await taken.promise;
    });
    connected.untilEnd();
    expect(connected.runtime.hooks.names).toBe('send.onUnacknowledged');
    await microtasks();
    expect(seen[0]).toBe(connected.owner);
    expect(seen[1]).toEqual([{ data: '{"event":"a"}', binary: false, sent: 'maybe' }]);
    expect(connected.told.handedBack).toBe(seen[1]);
    taken.resolve();
    await microtasks();
    expect(connected.runtime.hooks.running).toBe(0);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('full'))],
  ])('is told where who takes it %s', async (_how, hook) => {
    const connected = kept(hook);
    connected.untilEnd();
    await microtasks();
    expect(connected.told.detail('hook-rejection')).toMatchObject({
      message: expect.stringContaining('onUnacknowledged'),
      error: new Error('full'),
    });
    expect(connected.runtime.hooks.running).toBe(0);
  });

  test('is told without a hook, too, where it was asked for', () => {
    const connected = connect();
    connected.peer.habits.answersPings = false;
    void connected.owner.send('asked', { acknowledge: true });
    void connected.owner.terminate();
    connected.untilEnd();
    expect(connected.told.handedBack).toHaveLength(1);
  });
});

describe('turns', () => {
  const SERIAL = { order: 'serial' } as const;

  test('are taken one by one, and given up as closing begins', () => {
    const connected = connect();
    const { owner, told } = connected;
    const started: string[] = [];
    const take = (name: string): void =>
      owner.takeTurn(SERIAL, 10, (call) => {
        started.push(name);
        owner.calls.run(() => (name === 'a' ? new Promise(() => {}) : name), undefined, 'e', call);
      });
    expect(owner.unhindered).toBe(true);
    for (const name of ['a', 'b', 'c']) take(name);
    expect(started).toEqual(['a']);
    expect(owner.unhindered).toBe(false);
    void owner.close(4000);
    expect(told.met('message-after-close')).toBe(2);
    connected.untilEnd();
    expect(started).toEqual(['a']);
  });

  test('go on as handlers end', async () => {
    const { owner } = connect();
    const started: string[] = [];
    for (const name of ['a', 'b']) {
      owner.takeTurn(SERIAL, 10, (call) => {
        started.push(name);
        owner.calls.run(() => Promise.resolve(), undefined, 'e', call);
      });
    }
    await microtasks();
    expect(started).toEqual(['a', 'b']);
  });

  test('are refused while the server drains', () => {
    const { owner, told } = connect();
    for (let count = 0; count < 3; count++) {
      owner.takeTurn(SERIAL, 10, (call) => {
        owner.calls.run(() => new Promise(() => {}), undefined, 'e', call);
      });
    }
    owner.stopDispatch();
    expect(told.met('message-while-draining')).toBe(2);
  });

  test('past the bytes that may wait are told, and the socket is paused', () => {
    const { owner, told, port } = connect({
      policy: { handlers: { maxInFlight: 1, maxQueuedBytes: 10 } },
    });
    const never = (): void =>
      owner.takeTurn({ order: 'concurrent' }, 6, (call) => {
        owner.calls.run(() => new Promise(() => {}), undefined, 'e', call);
      });
    for (let count = 0; count < 3; count++) never();
    expect(told.met('handlers-saturated')).toBe(1);
    expect(port.paused).toBe(true);
  });
});

describe('a rate', () => {
  test('lets a burst pass, and the rest in its time', () => {
    const connected = connect({ policy: { limits: { messagesPerSecond: 2 } } });
    const { owner, peer, clock, io, told } = connected;
    const seen: string[] = [];
    connected.handleBy((text) => void seen.push(text));
    for (const text of ['a', 'b', 'c', 'd']) peer.send(text);
    io.run();
    expect(seen).toEqual(['a', 'b']);
    clock.advance(500);
    expect(seen).toEqual(['a', 'b', 'c']);
    clock.advance(500);
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    expect(told.met('rate-limited')).toBe(1);
    void owner.terminate();
  });

  test('holds for those who are called back, too', () => {
    const { owner, clock, told } = connect({ policy: { limits: { messagesPerSecond: 1 } } });
    const called: number[] = [];
    for (const n of [1, 2, 3]) owner.whenReady(() => called.push(n), 10);
    expect(called).toEqual([1]);
    clock.advance(1_000);
    expect(called).toEqual([1, 2]);
    void owner.terminate();
    expect(called).toEqual([1, 2, 3]);
    owner.whenReady(() => called.push(4));
    expect(called).toEqual([1, 2, 3, 4]);
    expect(told.met('rate-limited')).toBe(1);
  });
});

async function* failing(): AsyncGenerator {
  yield 1;
  throw new Error('an internal detail');
}

test('the source of a handler that fails is told to the client', async () => {
  const connected = connect();
  const { owner, io, peer, told } = connected;
  owner.calls.run(() => failing(), undefined, 'event');
  await microtasks();
  io.run();
  expect(peer.texts).toEqual([
    '1',
    '{"event":"exception","data":{"status":"error","message":"Internal server error"}}',
  ]);
  expect(told.met('handler-error')).toBe(1);
  void owner.terminate();
  owner.onPullError(new Error('late'));
  expect(told.met('handler-error')).toBe(2);
});

test('who pulls for long leaves the event loop to others', () => {
  const { owner, clock } = connect();
  let called = false;
  owner.afterMacrotask(() => (called = true));
  clock.endMacrotask();
  expect(called).toBe(true);
});

test('a ping that is in flight is not sent again by the heartbeat', () => {
  const { owner, io, peer } = connect();
  void owner.send('a', { acknowledge: true });
  owner.beat();
  io.run();
  expect(peer.frames.filter(({ type }) => type === 'ping')).toHaveLength(1);
});

describe('a connection that has sent nothing', () => {
  test('is pinged with what all of them share, once until it answers', () => {
    const connected = connect();
    const { owner, clock, io, peer, port } = connected;
    owner.beat();
    owner.beat();
    expect(peer.frames).toEqual([]);
    clock.advance(2.5);
    io.run();
    expect(wire(connected)).toEqual(['ping']);
    expect(owner.latency).toBe(2.5);
    owner.beat();
    clock.advance(1);
    io.run();
    expect(wire(connected)).toEqual(['ping', 'ping']);
    expect(owner.latency).toBe(1);
    expect(port.bufferedAmount).toBe(0);
  });

  test('closes clean where the pong to its last ping comes before the answer', () => {
    const connected = connect();
    const { owner, peer, told } = connected;
    peer.pause();
    owner.beat();
    void owner.close(1000);
    connected.turn();
    peer.resume();
    connected.turn();
    expect(wire(connected)).toEqual(['ping', 'ping', 'close 1000']);
    expect(told.outcome).toMatchObject({ handshake: 'clean', acknowledged: true });
    expect(owner.latency).toBe(0);
    expectNothingLeft(connected);
  });

  test('takes the pong to a heartbeat for no proof that its close was read', () => {
    const connected = connect();
    const { owner, clock, told } = connected;
    // Kept back, and answered when this test says so.
    const sent: Buffer[] = [];
    connected.port.ping = (payload) => void sent.push(payload);
    owner.beat();
    void owner.close(1000);
    clock.endMacrotask();
    expect(sent).toHaveLength(2);
    owner.onPong(sent[0]!);
    owner.onPong(sent[0]!);
    owner.onPong(Buffer.from('of the app'));
    owner.onPeerClose({ code: 1000, reason: '' });
    expect(told.met('crossed-close')).toBe(1);
  });

  test('may still send in the macrotask of its close, and nothing of that is lost', async () => {
    const connected = connect();
    const { owner, told } = connected;
    void owner.close(1000);
    const outcome = owner.send('last');
    connected.turn();
    expect(wire(connected)).toEqual(['last', 'ping', 'close 1000']);
    expect(await now(outcome)).toEqual({ status: 'written' });
    expect(told.outcome).toMatchObject({ written: 1, lost: 0, acknowledged: true });
  });
});

test('a signal that is asked for only once handlers were cut off is aborted', () => {
  const { owner } = connect();
  void owner.terminate();
  expect(owner.signal.aborted).toBe(true);
});

test('what the last message weighed is known where nobody dispatches it', () => {
  const { owner } = connect();
  expect(owner.lastMessageBytes).toBe(0);
  owner.lastMessageBytes = 7;
  expect(owner.lastMessageBytes).toBe(7);
});

test('one message for many is handed to the port that shares it, until closing has begun', () => {
  const { owner, port } = connect();
  const message = new SharedMessage(Buffer.from('for all'), false);
  const shared: SharedMessage[] = [];
  let followed = 0;
  port.batch = 1;
  port.sharedSink = {
    tick: 1,
    lone: false,
    addShared: () => {
      followed++;
      return 'pending';
    },
  };
  port.sendShared = (given) => {
    given.frame = given.data;
    shared.push(given);
    return 'pending';
  };
  const tally = new BroadcastTally(3);
  expect(owner.submitShared(message, tally)).toBe(true);
  expect(owner.submitShared(message, tally)).toBe(true);
  expect(shared).toEqual([message]);
  expect(followed).toBe(1);
  expect(owner.totals.accepted).toBe(2);
  void owner.terminate();
  expect(owner.submitShared(message, tally)).toBe(false);
  expect(shared.length + followed).toBe(2);
});

test('one message for many goes by no lane to one that closes, also from who is told of that', () => {
  const message = new SharedMessage(Buffer.from('for all'), false);
  const tally = new BroadcastTally(9);
  const { owner, port, told } = connect({ batching: 'hasty' });
  const sent: boolean[] = [];
  told.during = (line) => {
    if (line === 'closing') sent.push(owner.submitShared(message, tally));
  };
  expect(owner.submitShared(message, tally)).toBe(true);
  (port as BatchingPort).endTick();
  expect(owner.submitShared(message, tally)).toBe(true);
  (port as BatchingPort).endTick();
  expect(tally.written).toBe(2);
  void owner.terminate();
  expect(sent).toEqual([false]);
  expect(owner.totals).toMatchObject({ accepted: 2, written: 2 });
});

test('one that is to be ready anew, after nobody was left to wait for, is so once it is sealed', () => {
  const { owner, clock } = connect();
  owner.awaitReadiness();
  owner.sealReadiness();
  expect(owner.state).toBe('open');
  owner.awaitReadiness();
  expect(owner.state).toBe('connecting');
  owner.sealReadiness();
  expect(owner.state).toBe('open');
  expect(clock.pendingTimers).toBe(0);
});
