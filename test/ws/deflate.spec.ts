import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
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
/** Refers to what is 2,510 bytes before it. */
const FAR = Array.from({ length: 251 }, (_, index) => String((index * index) % 9973).padEnd(10));
/** Compress well, and better with what came before them; each of a length that is sent its own way. */
const TEXTS = [
  '',
  'a',
  'news '.repeat(40),
  'news and more '.repeat(500),
  FAR.join('').repeat(2),
  'né€s '.repeat(1500),
  'more né€s '.repeat(9000),
];

const WAYS = ['broadcast', 'send', 'noise', 'ping', 'blob', 'parts', 'wait'] as const;

interface Step {
  readonly how: (typeof WAYS)[number];
  readonly text: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  how: fc.constantFrom(...WAYS, 'broadcast' as const),
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
    else this.sent.add(Buffer.from(text).toString('latin1'));
    if (how === 'broadcast') void broadcast([owner, this.other.owner], text);
    else if (how === 'send') void owner.send(text);
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

test.each([{}, { params: null, _deflate: null }, { params: {} }])(
  'a ws that compresses in a way not known sends all of it itself: %p',
  (extension) => {
    const socket = { _extensions: { 'permessage-deflate': extension } } as unknown as WebSocket;
    expect(DeflateContext.of(socket)).toBeUndefined();
  },
);

describe.each([NEWEST, LOWEST])('What is sent to many over $name', (copy) => {
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

  test('is compressed once, and is the same piece of memory for all', async () => {
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

  test.each([{}, false])('is left to ws above 64 KiB, compressed or not: %p', async (options) => {
    const { member, other } = await Group.make(copy, options, options);
    await member.owner.send('first');
    const tally = new BroadcastTally(3);
    const sendShared = (bytes: number): boolean =>
      member.owner.submitShared(new SharedMessage(Buffer.alloc(bytes), true), tally);
    expect([sendShared(64 * 1024), sendShared(64 * 1024 + 1)]).toEqual([true, false]);
    const outcome = await broadcast([member.owner, other.owner], Buffer.alloc(64 * 1024 + 1));
    expect(outcome).toMatchObject({ targets: 2, written: 2 });
  });
});
