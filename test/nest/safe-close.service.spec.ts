import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import * as fc from 'fast-check';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket as WhatwgSocket } from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import {
  SafeCloseService,
  SetupError,
  type BroadcastOutcome,
  type CloseOutcome,
  type Connection,
  type ConnectionState,
  type CloseSummary,
} from '../../src/index.js';
import { createEngine } from '../../src/nest/safe-close.engine.js';
import type { Owner } from '../../src/runtime/owner.js';
import { own, ownedWebSocketClass } from '../../src/ws/owned-websocket.js';
import { nextMacrotask, within } from '../support/waiting.js';

const engine = createEngine({});
const service = new SafeCloseService(engine);

let server: WebSocketServer;
let url: string;

beforeAll(async () => {
  Logger.overrideLogger(false);
  server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    WebSocket: ownedWebSocketClass(WebSocket),
  });
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  Logger.overrideLogger(new Logger());
});

interface Subject {
  readonly socket: WebSocket;
  readonly owner: Owner;
  readonly peer: WebSocket;
}

async function connected(): Promise<Subject> {
  const accepted = new Promise<Pick<Subject, 'socket' | 'owner'>>((resolve) => {
    server.once('connection', (socket, request) => {
      resolve({ socket, owner: own(socket, request, engine.runtime, engine.policy) });
    });
  });
  const peer = new WebSocket(url);
  peer.on('error', () => {});
  const [end] = await within(Promise.all([accepted, once(peer, 'open')]), 'a connection');
  return { ...end, peer };
}

/** How a connection gets into each state, and stays there without the peer's help. */
const states: Record<
  string,
  { is: ConnectionState; readonly enter: (subject: Subject) => unknown }
> = {
  connecting: { is: 'connecting', enter: ({ owner }) => owner.awaitReadiness() },
  open: { is: 'open', enter: () => {} },
  'the macrotask of a close': { is: 'draining', enter: ({ owner }) => owner.requestClose(4000) },
  'waiting for handlers': {
    is: 'draining',
    enter: async ({ owner }) => {
      owner.calls.run(() => new Promise(() => {}), undefined, 'never');
      owner.requestClose(4000, '', { handlers: 'finish' });
      await nextMacrotask();
    },
  },
  flushing: {
    is: 'draining',
    enter: async ({ owner, peer }) => {
      peer.pause();
      for (let n = 0; n < 40; n++) owner.submit(Buffer.alloc(256 * 1024));
      owner.requestClose(4000);
      await nextMacrotask();
    },
  },
  'waiting for the answer to our close frame': {
    is: 'closing',
    enter: async ({ owner, peer }) => {
      peer.pause();
      owner.requestClose(4000);
      await nextMacrotask();
    },
  },
  'being terminated': { is: 'closing', enter: ({ owner }) => owner.requestTerminate() },
  closed: { is: 'closed', enter: ({ owner }) => owner.terminate() },
};

const METHODS = [
  'send',
  'emit',
  'post',
  'acknowledged',
  'close',
  'terminate',
  'connection',
  'report',
  'track',
  'closeWhere',
  'broadcast',
  'join',
  'leave',
  'rooms',
  'writable',
  'identify',
  'expiresAt',
] as const;

/** Of the ws socket itself, which ws lets throw. */
const RAW_METHODS = ['send', 'ping', 'pong', 'close', 'terminate', 'pause', 'resume'] as const;

const awkward = [
  Number.NaN,
  Infinity,
  -1,
  0,
  2 ** 31,
  1e300,
  4000n,
  Symbol('x'),
  () => 'x',
  class Foreign extends Map {},
  Promise.resolve('x'),
  AbortSignal.abort(),
  new AbortController().signal,
  { signal: AbortSignal.abort() },
  { signal: 'yes', acknowledge: 'no' },
  { acknowledge: true },
  { handlers: 'maybe', flushTimeout: -1, handshakeTimeout: Number.NaN, precedence: '9' },
  { handlers: 'finish', flushTimeout: 1e300, precedence: Infinity },
  {
    toJSON: () => {
      throw new Error('toJSON');
    },
  },
  {
    toString: () => {
      throw new Error('toString');
    },
    valueOf: () => {
      throw new Error('valueOf');
    },
  },
  'é'.repeat(62),
  'a\uD83C',
  '__proto__',
  'constructor',
  new Blob(['x']),
  new ArrayBuffer(3),
  new DataView(new ArrayBuffer(3)),
  new Map([['a', 1]]),
  { readyState: 1, bufferedAmount: 0, terminate() {}, send() {}, close() {} },
  Object.create(null),
];

const anything = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...awkward) },
  {
    weight: 1,
    arbitrary: fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withBoxedValues: true,
    }),
  },
);

/** Of whom a call is made: mostly of the connection, by its socket or its id. */
const clients = fc.oneof(
  { weight: 4, arbitrary: fc.constant('socket' as const) },
  { weight: 4, arbitrary: fc.constant('id' as const) },
  { weight: 1, arbitrary: fc.constantFrom('peer' as const, 'whatwg' as const, 'ended' as const) },
  { weight: 1, arbitrary: anything.map((value) => ({ value })) },
);

const call = fc.record({
  method: fc.constantFrom(...METHODS),
  raw: fc.option(fc.constantFrom(...RAW_METHODS), { freq: 3 }),
  client: clients,
  /** On the service, or on the connection itself. */
  direct: fc.boolean(),
  args: fc.array(anything, { maxLength: 4 }),
});

type Call = typeof call extends fc.Arbitrary<infer C> ? C : never;

let ended: string;
const whatwg = { readyState: 3, send() {}, close() {} };

function clientOf({ client }: Call, { socket, owner, peer }: Subject): unknown {
  switch (client) {
    case 'socket':
      return socket;
    case 'id':
      return owner.id;
    case 'peer':
      return peer;
    case 'whatwg':
      return whatwg;
    case 'ended':
      return ended;
    default:
      return client.value;
  }
}

type Method = (...args: unknown[]) => unknown;

/** Makes a call, and says what it is to settle with; it must not throw. */
function make(made: Call, subject: Subject): unknown {
  const { method, raw, direct, args } = made;
  if (raw) return (subject.socket as unknown as Record<string, Method>)[raw]!(...args);
  const member = (subject.owner as unknown as Record<string, unknown>)[method];
  if (direct && typeof member === 'function') return Reflect.apply(member, subject.owner, args);
  const target = service as unknown as Record<string, Method>;
  // Only a connection itself has them.
  if (!(method in target)) return undefined;
  if (method !== 'track') return target[method]!(clientOf(made, subject), ...args);
  const client = clientOf(made, subject);
  // The peer stays without an owner, so that it can be told what to do.
  if (client === subject.peer) return undefined;
  try {
    return target['track']!(client);
  } catch (error) {
    expect(error).toBeInstanceOf(SetupError);
    return undefined;
  }
}

function expectSettled(method: string, value: unknown): void {
  switch (method) {
    case 'send':
    case 'emit':
      expect(['acknowledged', 'written', 'refused', 'lost']).toContain(
        (value as { status: string }).status,
      );
      break;
    case 'broadcast': {
      const { targets, written, refused, dropped, lost } = value as BroadcastOutcome;
      const given = Object.values(refused).reduce((sum, count) => sum + count, 0);
      expect(written + given + dropped + lost).toBe(targets);
      break;
    }
    case 'post':
    case 'writable':
    case 'acknowledged':
      expect(typeof value).toBe('boolean');
      break;
    case 'closeWhere': {
      const { targets, clean, crossed, terminated, lost } = value as CloseSummary;
      expect(clean + crossed + terminated + lost).toBe(targets);
      break;
    }
    case 'close':
    case 'terminate':
      expect(value).toMatchObject({
        connectionId: expect.any(String),
        initiator: expect.stringMatching(/^(server|peer|network)$/),
        handshake: expect.stringMatching(/^(clean|crossed|terminated|lost)$/),
        code: expect.any(Number),
        reason: expect.any(String),
        durationMs: expect.any(Number),
      });
      break;
    default:
  }
}

describe('No call throws or rejects, and every promise settles', () => {
  beforeAll(async () => {
    const { owner } = await connected();
    ended = owner.id;
    await owner.terminate();
  });

  test.each(Object.entries(states))('on a connection that is %s', async (_name, { is, enter }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 6 }), async (calls) => {
        const subject = await connected();
        try {
          await enter(subject);
          expect(subject.owner.state).toBe(is);
          const results = calls.map((made) => make(made, subject));
          await nextMacrotask();
          subject.peer.terminate();
          subject.owner.requestTerminate();
          const settled = await within(Promise.all(results), 'every promise to settle');
          for (const [index, value] of settled.entries()) {
            const { method, raw } = calls[index]!;
            if (!raw) expectSettled(method, value);
          }
          const outcome = await within(subject.owner.closed, 'the outcome');
          const { written, dropped, lost } = outcome;
          expect(written + dropped + lost).toBe(subject.owner.totals.accepted);
        } finally {
          subject.peer.terminate();
          subject.owner.requestTerminate();
        }
      }),
      { numRuns: 60 },
    );
    await nextMacrotask();
    expect(service.report().races['illegal-event']).toBe(0);
  });
});

describe('A client that is unknown', () => {
  const unknown: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a number', 1],
    ['an id of nobody', 'nobody'],
    ['a name of an object', 'constructor'],
    ['a plain object', {}],
    ['a function', () => {}],
    ['a socket of nobody', Reflect.construct(WebSocket, [null, undefined, {}])],
    ['a socket as browsers have it', Object.create(WhatwgSocket.prototype)],
  ];

  test.each(unknown)('%s: sends are refused, closes are lost', async (_name, client) => {
    const any = client as WebSocket;
    const refused = { status: 'refused', cause: 'unknown-client' };
    expect(await service.send(any, 'x')).toEqual(refused);
    expect(await service.emit(any, 'x')).toEqual(refused);
    expect(service.post(any, 'x')).toBe(false);
    expect(await service.acknowledged(any)).toBe(false);
    expect(service.connection(any)).toBeUndefined();
    const lost: Partial<CloseOutcome> = {
      connectionId: typeof client === 'string' ? client : '',
      handshake: 'lost',
      code: 1006,
      requests: [],
    };
    expect(await service.close(any, 4000, 'x')).toMatchObject(lost);
    expect(await service.terminate(any)).toMatchObject(lost);
  });

  test.each(unknown.filter(([name]) => !name.includes('socket of nobody')))(
    '%s can not be tracked',
    (_name, client) => {
      expect(() => service.track(client as WebSocket)).toThrow(SetupError);
      expect(() => service.track(client as WebSocket)).toThrow('a WebSocket of the package ws');
    },
  );
});

describe('A connection', () => {
  test('is the same object by its socket and by its id, and all closers get one outcome', async () => {
    const { socket, owner, peer } = await connected();
    expect(service.connection(socket)).toBe(owner);
    expect(service.connection(owner.id)).toBe(owner);
    expect([...service.connections]).toContain(owner);
    const connection: Connection = owner;
    const outcomes = await within(
      Promise.all([
        service.close(socket, 4000, 'a'),
        service.close(owner.id, 1011, 'b'),
        connection.close(1000),
        connection.closed,
      ]),
      'the outcomes',
    );
    expect(new Set(outcomes).size).toBe(1);
    expect(outcomes[0]).toMatchObject({
      code: 1011,
      reason: 'b',
      requests: [
        { code: 4000, superseded: true },
        { code: 1011, superseded: false },
        { code: 1000, superseded: true },
      ],
    });
    expect(Object.isFrozen(outcomes[0])).toBe(true);
    expect(service.connection(owner.id)).toBeUndefined();
    expect(service.connection(socket)).toBe(owner);
    expect(await service.close(socket)).toBe(outcomes[0]);
    expect(await service.terminate(socket)).toBe(outcomes[0]);
    expect(await service.send(socket, 'x')).toEqual({ status: 'refused', cause: 'closed' });
    peer.terminate();
  });

  test('keeps what the app likes in `data`', async () => {
    const { owner, peer } = await connected();
    const connection: Connection = owner;
    connection.data['user'] = 7;
    expect(connection.data).toEqual({ user: 7 });
    peer.terminate();
    await within(connection.closed, 'the outcome');
    expect(connection.data).toEqual({ user: 7 });
  });

  test('refuses a send whose signal is aborted, and accepts one whose signal is not', async () => {
    const { owner, peer } = await connected();
    const controller = new AbortController();
    const { signal } = controller;
    expect(await owner.send('x', { signal })).toEqual({ status: 'written' });
    controller.abort();
    expect(await owner.send('x', { signal })).toEqual({ status: 'refused', cause: 'aborted' });
    expect(await owner.emit('x', 1, { signal })).toEqual({ status: 'refused', cause: 'aborted' });
    peer.terminate();
  });

  test.each([undefined, null, {}, [1n], true])('refuses to send %p', async (data) => {
    const { owner, peer } = await connected();
    expect(await owner.send(data as never)).toEqual({ status: 'refused', cause: 'unserializable' });
    expect(owner.bufferedAmount).toBe(0);
    peer.terminate();
  });

  test('closes with 1000 by default, and takes null for the invalid code that it is', async () => {
    const plain = await connected();
    expect(await plain.owner.close()).toMatchObject({ code: 1000, requests: [{ code: 1000 }] });
    const odd = await connected();
    expect(await odd.owner.close(null as never)).toMatchObject({ code: 1011 });
  });

  test('tells whether all was read within a time, however long', async () => {
    const { owner, peer } = await connected();
    expect(await owner.acknowledged(1e12)).toBe(true);
    peer.pause();
    const sent = owner.send('x', { acknowledge: true });
    expect(await owner.acknowledged(1)).toBe(false);
    const patient = owner.acknowledged(1e12);
    await nextMacrotask();
    peer.resume();
    expect(await within(patient, 'the acknowledgement')).toBe(true);
    expect(await sent).toEqual({ status: 'acknowledged' });
    peer.pause();
    const lost = owner.send('x', { acknowledge: true });
    const closed = owner.close(4000);
    expect(await owner.acknowledged(1)).toBe(false);
    owner.requestTerminate();
    expect(await lost).toEqual({ status: 'lost', cause: 'terminated', sent: 'maybe' });
    expect(await closed).toMatchObject({ acknowledged: false });
  });
});
