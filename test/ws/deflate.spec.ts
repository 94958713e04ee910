import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { broadcast } from '../../src/runtime/broadcast.js';
import { BroadcastTally } from '../../src/runtime/broadcast-tally.js';
import type { Owner } from '../../src/runtime/owner.js';
import { SharedMessage } from '../../src/runtime/socket.port.js';
import { DeflateContext } from '../../src/ws/deflate-context.js';
import { own, ownedWebSocketClass } from '../../src/ws/owned-websocket.js';
import { ownerOf } from '../../src/ws/ownership.js';
import { policyOf } from '../support/policy.js';
import { Tally, within } from '../support/waiting.js';
import {
  chunksTo,
  connect,
  listening,
  LOWEST,
  NEWEST,
  testRuntime,
  withoutLimit,
  type WsCopy,
} from './pairs.js';

/** Does not compress. */
const NOISE = Buffer.from(Array.from({ length: 3000 }, (_, index) => (index * 7919) % 251));
const SMALL_NOISE = NOISE.subarray(0, 1024);
/** Refers to what is 2,510 bytes before it. */
const FAR = Array.from({ length: 251 }, (_, index) => String((index * index) % 9973).padEnd(10));
/** Compress well, and better with what came before them; each of a length that is sent its own way. */
const TEXTS = [
  '',
  'a',
  'news '.repeat(40),
  'news and more '.repeat(500),
  FAR.join('').repeat(2),
  'né€s '.repeat(200),
  'né€s '.repeat(1500),
  'more né€s '.repeat(9000),
];

const WAYS = [
  'broadcast',
  'send',
  'plain',
  'noise',
  'small noise',
  'ping',
  'blob',
  'parts',
  'wait',
] as const;

/** The streams of zlib that are made while it runs. */
function streamsOf(work: () => void): Duplex[] {
  const handles: object[] = [];
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'ZLIB') handles.push(resource);
    },
  });
  hook.enable();
  work();
  hook.disable();
  return handles.map((handle) => {
    const owner = Object.getOwnPropertySymbols(handle).find(
      ({ description }) => description === 'owner_symbol',
    );
    return (handle as Record<symbol, Duplex>)[owner!]!;
  });
}

interface Step {
  readonly how: (typeof WAYS)[number];
  readonly text: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  how: fc.constantFrom(...WAYS, 'broadcast' as const, 'send' as const),
  text: fc.constantFrom(...TEXTS),
});

interface Member {
  readonly socket: WebSocket;
  readonly owner: Owner;
  readonly received: Tally<string>;
}

class Group {
  readonly sent = new Tally<string>();

  private constructor(
    private readonly copy: WsCopy,
    /** Whose messages are looked at. */
    readonly member: Member,
    readonly other: Member,
  ) {}

  static async make(copy: WsCopy, client: object | false, options: object | false): Promise<Group> {
    const runtime = testRuntime();
    const policy = policyOf(withoutLimit());
    const { server, url } = await listening(copy, {
      perMessageDeflate: options,
      WebSocket: ownedWebSocketClass(copy.WebSocket),
    });
    server.on('connection', (socket, request) => own(socket, request, runtime, policy));
    const join = async (perMessageDeflate: object | false): Promise<Member> => {
      const accepted = once(server, 'connection');
      const peer = connect(url, { perMessageDeflate });
      const received = new Tally<string>();
      peer.on('message', (data: Buffer) => received.add(data.toString('latin1')));
      const both = Promise.all([accepted, once(peer, 'open')]);
      const [[socket]] = (await within(both, 'a connection')) as [[WebSocket], unknown];
      return { socket, received, owner: ownerOf(socket)! };
    };
    return new Group(copy, await join(client), await join(client && {}));
  }

  async play({ how, text }: Step): Promise<void> {
    const { owner, socket } = this.member;
    if (how === 'blob' && !this.copy.sendsBlobs) return;
    if (how === 'ping') {
      socket.ping(text.slice(0, 100));
      return;
    }
    if (how === 'wait') {
      await owner.send('wait');
      this.sent.add('wait');
      return;
    }
    if (how === 'noise') this.sent.add(NOISE.toString('latin1'));
    else if (how === 'small noise') this.sent.add(SMALL_NOISE.toString('latin1'));
    else this.sent.add(Buffer.from(text).toString('latin1'));
    if (how === 'broadcast') void broadcast([owner, this.other.owner], text);
    else if (how === 'send') void owner.send(text);
    else if (how === 'plain') socket.send(text, { compress: false });
    else if (how === 'small noise') void owner.send(SMALL_NOISE);
    else if (how === 'noise') void broadcast([owner, this.other.owner], NOISE);
    else if (how === 'blob') void owner.send(new Blob([text]));
    else {
      socket.send(text.slice(0, 1), { fin: false });
      socket.send(text.slice(1));
    }
  }
}

/** What the client offers, and the server's own options. */
const SETTINGS: Record<string, readonly [object | false, object | false]> = {
  'without compression': [false, false],
  'with its context': [{}, {}],
  'with no context': [{ serverNoContextTakeover: true }, { threshold: 0 }],
  'below the threshold': [{ serverNoContextTakeover: true }, {}],
  'with a small window': [{ serverMaxWindowBits: 10 }, {}],
};

const DICTIONARY = { zlibDeflateOptions: { dictionary: Buffer.from('news') } };

test.each([
  {},
  { params: null, _deflate: null },
  { params: {} },
  { params: {}, _deflate: null, _options: DICTIONARY },
])('a ws that compresses in a way not known sends all of it itself: %p', (extension) => {
  const socket = { _extensions: { 'permessage-deflate': extension } } as unknown as WebSocket;
  expect(DeflateContext.of(socket)).toBeUndefined();
});

test('a ws whose options are not known compresses what is for one itself', () => {
  const extension = { params: {}, _deflate: null };
  const socket = { _extensions: { 'permessage-deflate': extension } } as unknown as WebSocket;
  const context = DeflateContext.of(socket)!;
  expect(context.write(Buffer.from('text'), Buffer.alloc(100), 0)).toBeUndefined();
});

describe.each([NEWEST, LOWEST])('What is compressed over $name', (copy) => {
  test.each(Object.entries(SETTINGS))('is read among the rest, %s', async (_name, settings) => {
    const group = await Group.make(copy, ...settings);
    const play = async (steps: readonly Step[]): Promise<void> => {
      // oxlint-disable-next-line no-await-in-loop -- in their order
      for (const next of steps) await group.play(next);
      const { sent, member } = group;
      await member.received.reached(sent.count, 'messages');
      expect(member.received.all.slice(-steps.length)).toEqual(sent.all.slice(-steps.length));
      expect(member.received.count).toBe(sent.count);
    };
    // A Blob ends the direct way for good, so that those without come first.
    const without = step.filter(({ how }) => how !== 'blob');
    await fc.assert(fc.asyncProperty(fc.array(without, { maxLength: 12 }), play), { numRuns: 150 });
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 12 }), play), { numRuns: 20 });
    expect(group.member.owner.totals.lost).toBe(0);
  });

  test('small messages of one turn are one write, with those before as their context', async () => {
    const { member } = await Group.make(copy, {}, {});
    const text = 'a text that is like those before it '.repeat(20);
    await member.owner.send('first');
    const written = chunksTo([member]);
    await Promise.all([member.owner.send(`${text}1`), member.owner.send(`${text}2`)]);
    expect(written).toHaveLength(1);
    // Both frames; the second one alone is a few bytes.
    expect(written[0]!.length).toBeLessThan(100);
    const outcomes = [member.owner.send(`${text}3`), member.owner.send(`${text}4`)];
    expect(outcomes[0]).toBe(outcomes[1]);
    await Promise.all(outcomes);
    expect(written[1]!.length).toBeLessThan(40);
    await member.received.reached(5, 'messages');
    expect(member.received.all).toEqual(['first', ...[1, 2, 3, 4].map((n) => `${text}${n}`)]);
  });

  test('a message that asks not to be compressed is not', async () => {
    const { member } = await Group.make(copy, {}, {});
    const text = 'x'.repeat(1000);
    await member.owner.send('first');
    const written = chunksTo([member]);
    member.socket.send(text, { compress: false });
    await member.owner.send(text);
    expect(written).toHaveLength(1);
    expect(written[0]!.subarray(0, 1004).toString('latin1')).toContain(text);
    expect(written[0]!.length).toBeLessThan(1004 + 30);
    await member.received.reached(3, 'messages');
    expect(member.received.all).toEqual(['first', text, text]);
  });

  test('a small one behind a large one that ws compresses waits for its turn', async () => {
    const { member } = await Group.make(copy, {}, {});
    const large = FAR.join('');
    await Promise.all([member.owner.send(large), member.owner.send('small')]);
    await member.owner.send('later');
    await member.received.reached(3, 'messages');
    expect(member.received.all).toEqual([large, 'small', 'later']);
  });

  test('without a context all connections of a server share what compresses', async () => {
    const options = { threshold: 0, zlibDeflateOptions: { level: 9 } };
    const join = (client: object) => Group.make(copy, client, options);
    const sharing = await Promise.all([0, 1, 2].map(() => join({ serverNoContextTakeover: true })));
    const keeping = await Promise.all([0, 1, 2].map(() => join({})));
    const text = 'news '.repeat(40);
    const made = [sharing, keeping].map((groups) =>
      streamsOf(() => groups.forEach(({ member }) => void member.owner.send(text))),
    );
    expect(made.map(({ length }) => length)).toEqual([1, 3]);
    for (const { member } of [...sharing, ...keeping]) {
      // oxlint-disable-next-line no-await-in-loop
      await member.received.reached(1, 'message');
      expect(member.received.all).toEqual([text]);
    }
  });

  test('what compresses ends with its connection, or once ws compresses', async () => {
    const { member } = await Group.make(copy, {}, {});
    const small = 'news '.repeat(40);
    const [first] = streamsOf(() => void member.owner.send(small));
    expect(first!.destroyed).toBe(false);
    await member.owner.send(FAR.join(''));
    expect(first!.destroyed).toBe(true);
    const [second] = streamsOf(() => void member.owner.send(small));
    member.socket.send(FAR.join(''), { compress: false });
    expect(second!.destroyed).toBe(false);
    await member.received.reached(4, 'messages');
    expect(member.received.all).toEqual([small, FAR.join(''), small, FAR.join('')]);
    await member.owner.terminate();
    expect(second!.destroyed).toBe(true);
  });

  test('ws compresses where what we compress with has failed, and others get another one', async () => {
    const options = { threshold: 0, zlibDeflateOptions: { level: 1 } };
    const join = () => Group.make(copy, { serverNoContextTakeover: true }, options);
    const [before, after] = [await join(), await join()];
    const text = 'news '.repeat(40);
    const [shared] = streamsOf(() => void before.member.owner.send(text));
    await before.member.received.reached(1, 'message');
    shared!.destroy();
    void before.member.owner.send(text);
    await before.member.received.reached(2, 'messages');
    expect(streamsOf(() => void after.member.owner.send(text))).toHaveLength(1);
    await after.member.received.reached(1, 'message');
    expect([...before.member.received.all, ...after.member.received.all]).toEqual([
      text,
      text,
      text,
    ]);
  });

  test('a broadcast is compressed once, and is the same piece of memory for all', async () => {
    const { member, other } = await Group.make(copy, {}, {});
    const owners = [member.owner, other.owner];
    await broadcast(owners, 'first');
    const written = chunksTo([member, other]);
    await Promise.all([broadcast(owners, TEXTS[2]!), broadcast(owners, TEXTS[3]!)]);
    expect(new Set(written).size).toBe(1);
    expect(written[0]!.length).toBeLessThan(150);
    await member.received.reached(3, 'messages');
    expect(member.received.all).toEqual(['first', TEXTS[2], TEXTS[3]]);
  });

  test.each([{}, false])(
    'a broadcast is left to ws above 64 KiB, compressed or not: %p',
    async (options) => {
      const { member, other } = await Group.make(copy, options, options);
      await member.owner.send('first');
      const tally = new BroadcastTally(3);
      const sendShared = (bytes: number): boolean =>
        member.owner.submitShared(new SharedMessage(Buffer.alloc(bytes), true), tally);
      expect([sendShared(64 * 1024), sendShared(64 * 1024 + 1)]).toEqual([true, false]);
      const outcome = await broadcast([member.owner, other.owner], Buffer.alloc(64 * 1024 + 1));
      expect(outcome).toMatchObject({ targets: 2, written: 2 });
    },
  );
});
