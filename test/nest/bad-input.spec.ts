import { describe, expect, test } from '@jest/globals';
import { SubscribeMessage } from '@nestjs/websockets';
import { of } from 'rxjs';
import type { WebSocket } from 'ws';
import { closeFrame, frame, Opcode } from '../support/clients/frames.js';
import { RawPeer } from '../support/clients/raw.peer.js';
import { WsClient } from '../support/clients/ws.client.js';
import { nextMacrotask, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host, type Hosted } from './hosting.js';

const MAX_PAYLOAD = 1_024;

function cycle(): object {
  const object: Record<string, unknown> = { event: 'cycle' };
  object['self'] = object;
  return object;
}

class Careless extends Echo {
  @SubscribeMessage('reply')
  reply(_client: WebSocket, kind: string): unknown {
    return REPLIES[kind]?.value;
  }

  @SubscribeMessage('reply later')
  async replyLater(client: WebSocket, kind: string): Promise<unknown> {
    await nextMacrotask();
    return this.reply(client, kind);
  }

  @SubscribeMessage('stream')
  stream(client: WebSocket, kind: string): unknown {
    return of(this.reply(client, kind), { event: 'after' });
  }
}

const internalError = {
  event: 'exception',
  data: { status: 'error', message: 'Internal server error' },
};

/** What a handler may return, what the client gets for it, and whether it is told. */
const REPLIES: Record<string, { value: unknown; seen?: unknown; told?: true }> = {
  'a BigInt': { value: { event: 'x', data: 1n }, seen: internalError, told: true },
  'a bare BigInt': { value: 1n, seen: internalError, told: true },
  'a cycle': { value: cycle(), seen: internalError, told: true },
  'a function': { value: () => 1, seen: internalError, told: true },
  'a symbol': { value: Symbol('x'), seen: internalError, told: true },
  'toJSON that throws': {
    value: {
      toJSON: () => {
        throw new Error('secret');
      },
    },
    seen: internalError,
    told: true,
  },
  'toJSON that gives nothing': {
    value: { toJSON: () => undefined },
    seen: internalError,
    told: true,
  },
  undefined: { value: undefined },
  null: { value: null },
  zero: { value: 0, seen: 0 },
  false: { value: false, seen: false },
  'an empty text': { value: '', seen: '' },
  'an empty list': { value: [], seen: [] },
  'an empty object': { value: {}, seen: {} },
  'a date': { value: new Date(0), seen: '1970-01-01T00:00:00.000Z' },
  NaN: { value: Number.NaN, seen: null },
};

const badUtf8 = Buffer.from([0xc3, 0x28]);

const badFrames: [string, Buffer, number][] = [
  ['the second reserved bit', frame(Opcode.text, 'x', { reserved: 2 }), 1002],
  ['the third reserved bit', frame(Opcode.ping, 'x', { reserved: 1 }), 1002],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Buffer, number] => [
    `the opcode ${opcode}`,
    frame(opcode, 'x'),
    1002,
  ]),
  ['a ping without a mask', frame(Opcode.ping, 'x', { masked: false }), 1002],
  ['a close frame without a mask', frame(Opcode.close, '', { masked: false }), 1002],
  ['a fragmented ping', frame(Opcode.ping, 'x', { fin: false }), 1002],
  ['a fragmented close frame', frame(Opcode.close, '', { fin: false }), 1002],
  ['a close frame of 126 bytes', closeFrame(1000, 'x'.repeat(124)), 1002],
  ['a pong of 126 bytes', frame(Opcode.pong, 'x'.repeat(126)), 1002],
  [
    'a new message inside another',
    Buffer.concat([frame(Opcode.text, 'x', { fin: false }), frame(Opcode.text, 'y')]),
    1002,
  ],
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
    (code): [string, Buffer, number] => [`the close code ${code}`, closeFrame(code), 1002],
  ),
  [
    'a close reason that is no UTF-8',
    frame(Opcode.close, Buffer.concat([Buffer.from([0x03, 0xe8]), badUtf8])),
    1007,
  ],
  [
    'fragments that are no UTF-8 together',
    Buffer.concat([
      frame(Opcode.text, badUtf8.subarray(0, 1), { fin: false }),
      frame(Opcode.continuation, badUtf8.subarray(1)),
    ]),
    1007,
  ],
  ['a message that claims 100 MiB', frame(Opcode.binary, '', { length: 100 * 1024 * 1024 }), 1009],
  ['a message that claims 2^62 bytes', frame(Opcode.text, '', { length: 2 ** 62 }), 1009],
  [
    'fragments above maxPayload together',
    Buffer.concat([
      frame(Opcode.text, 'x'.repeat(MAX_PAYLOAD), { fin: false }),
      frame(Opcode.continuation, 'x'),
    ]),
    1009,
  ],
];

/** Messages that no handler takes, and how they are counted. */
const badMessages: [string, string | Buffer, 'unreadable-message' | 'unknown-event'][] = [
  ['text that is no JSON', 'hello', 'unreadable-message'],
  ['JSON that is cut', '{"event":"echo"', 'unreadable-message'],
  ['nothing', '', 'unreadable-message'],
  ['null', 'null', 'unreadable-message'],
  ['zero', '0', 'unreadable-message'],
  ['false', 'false', 'unreadable-message'],
  ['an empty text', '""', 'unreadable-message'],
  ['true', 'true', 'unknown-event'],
  ['a number', '42', 'unknown-event'],
  ['a text', '"echo"', 'unknown-event'],
  ['a list', '[]', 'unknown-event'],
  ['a list of the event', '["echo",1]', 'unknown-event'],
  ['an empty object', '{}', 'unknown-event'],
  ['an unknown event', '{"event":"nobody"}', 'unknown-event'],
  ['the event null', '{"event":null}', 'unknown-event'],
  ['an event that is an object', '{"event":{"echo":1}}', 'unknown-event'],
  ['an event that is a list', '{"event":["echo"]}', 'unknown-event'],
  ['the event __proto__', '{"event":"__proto__"}', 'unknown-event'],
  ['the event constructor', '{"event":"constructor"}', 'unknown-event'],
  ['the event toString', '{"event":"toString"}', 'unknown-event'],
  ['the event hasOwnProperty', '{"event":"hasOwnProperty"}', 'unknown-event'],
  ['a prototype of its own', '{"__proto__":{"event":"echo"}}', 'unknown-event'],
  ['deep lists', '['.repeat(400) + ']'.repeat(400), 'unknown-event'],
  ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe]), 'unreadable-message'],
];

async function start(options: Record<string, unknown> = { maxPayload: MAX_PAYLOAD }) {
  const hosted = await host({ providers: [gatewayOf(Careless, 0, options)] });
  const other = await WsClient.connect(hosted.url());
  return { hosted, other };
}

async function stillServed(client: WsClient): Promise<void> {
  const before = client.messages.count;
  client.emit('echo', 'still here');
  expect(await client.message(before)).toEqual({ event: 'echo', data: 'still here' });
}

async function outcomeOfLast(hosted: Hosted) {
  const last = [...hosted.service.connections].at(-1)!;
  return await within(last.closed, 'the outcome');
}

describe('From the peer', () => {
  test.each(badFrames)('%s ends its connection, and no other', async (_name, bytes, code) => {
    const { hosted, other } = await start();
    const peer = await RawPeer.connect(hosted.url());
    const outcome = outcomeOfLast(hosted);
    peer.send(bytes);
    expect(await peer.closed()).toEqual({ code, reason: '' });
    peer.emit('echo', 'too late');
    await peer.ended();
    expect(await outcome).toMatchObject({
      initiator: 'server',
      handshake: 'terminated',
      code,
      requests: [{ code, superseded: false }],
    });
    expect(hosted.service.report().races).toMatchObject({
      'protocol-error': 1,
      'illegal-event': 0,
    });
    await stillServed(other);
    expect(hosted.service.connections.size).toBe(1);
  });

  test('A message above 100 MiB is refused by its header, where nothing else is set', async () => {
    const { hosted, other } = await start({});
    const peer = await RawPeer.connect(hosted.url());
    peer.send(frame(Opcode.binary, 'x', { length: 100 * 1024 * 1024 + 1 }));
    expect(await peer.closed()).toMatchObject({ code: 1009 });
    await stillServed(other);
  });

  test('A small frame that decompresses beyond maxPayload is refused', async () => {
    const { hosted, other } = await start({ maxPayload: MAX_PAYLOAD, perMessageDeflate: true });
    const client = await WsClient.connect(hosted.url());
    client.text('x'.repeat(1_000_000));
    expect(await client.closed()).toMatchObject({ code: 1009 });
    expect(hosted.service.report().races['protocol-error']).toBe(1);
    await stillServed(other);
  });

  test.each(badMessages)(
    '%s starts no handler, is counted, and closes nothing',
    async (_n, data, kind) => {
      const { hosted, other } = await start();
      other.socket.send(data, { binary: Buffer.isBuffer(data) });
      await stillServed(other);
      expect(other.messages.count).toBe(1);
      const { races } = hosted.service.report();
      expect({
        'unreadable-message': races['unreadable-message'],
        'unknown-event': races['unknown-event'],
      }).toEqual({
        'unreadable-message': 0,
        'unknown-event': 0,
        [kind]: 1,
      });
    },
  );

  test('A message does not pollute any prototype', async () => {
    const { hosted, other } = await start();
    other.text('{"event":"echo","data":{"__proto__":{"polluted":1},"constructor":{"polluted":1}}}');
    await other.messages.reached(1, 'reply');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(hosted.service.report().races['unknown-event']).toBe(0);
  });

  test('A thousand pings at the pace of their answers are all answered', async () => {
    const { hosted, other } = await start();
    const peer = await RawPeer.connect(hosted.url());
    for (let batch = 1; batch <= 20; batch++) {
      peer.send(...Array.from({ length: 50 }, (_, n) => frame(Opcode.ping, String(n))));
      await peer.frames.reached(batch * 50, 'pong');
    }
    expect(peer.frames.all.every(({ opcode }) => opcode === Opcode.pong)).toBe(true);
    await stillServed(other);
  });

  test('A thousand pings at once end their connection, are counted, and harm no other', async () => {
    const { hosted, other } = await start();
    const peer = await RawPeer.connect(hosted.url());
    const outcome = outcomeOfLast(hosted);
    peer.send(...Array.from({ length: 1_000 }, (_, n) => frame(Opcode.ping, String(n))));
    await peer.ended();
    expect(await outcome).toMatchObject({ initiator: 'server', handshake: 'terminated' });
    expect(hosted.service.report().races['protocol-error']).toBe(1);
    expect(hosted.logs.matching('warn', 'protocol-error')[0]?.text).toContain('pings');
    await stillServed(other);
  });

  test('A thousand pongs that nobody asked for change nothing', async () => {
    const { hosted, other } = await start();
    const peer = await RawPeer.connect(hosted.url());
    peer.send(...Array.from({ length: 1_000 }, (_, n) => frame(Opcode.pong, String(n))));
    peer.emit('echo', 1);
    await peer.messages.reached(1, 'reply');
    await stillServed(other);
    expect(hosted.service.report().races['illegal-event']).toBe(0);
  });

  test('A flood of bad messages is counted one by one, and logged a few times', async () => {
    const { hosted, other } = await start();
    for (let n = 0; n < 500; n++) other.text('}');
    await stillServed(other);
    expect(hosted.service.report().races['unreadable-message']).toBe(500);
    expect(hosted.logs.matching('debug', 'unreadable-message').length).toBeLessThanOrEqual(5);
  });

  test('A peer that resets the connection ends as lost', async () => {
    const { hosted, other } = await start();
    const peer = await RawPeer.connect(hosted.url());
    const outcome = outcomeOfLast(hosted);
    peer.reset();
    expect(await outcome).toMatchObject({ initiator: 'network', handshake: 'lost', code: 1006 });
    await stillServed(other);
  });

  test('A peer that sends on after its close frame starts nothing', async () => {
    const { hosted } = await start();
    const peer = await RawPeer.connect(hosted.url());
    const outcome = outcomeOfLast(hosted);
    peer.send(closeFrame(1000), frame(Opcode.text, '{"event":"echo","data":1}'), frame(0x3));
    expect(await peer.closed()).toMatchObject({ code: 1000 });
    expect(await outcome).toMatchObject({ initiator: 'peer', handshake: 'clean', code: 1000 });
    expect(hosted.service.report().races['protocol-error']).toBe(0);
  });
});

describe('From a handler', () => {
  test.each(Object.entries(REPLIES))('%s', async (kind, { seen, told }) => {
    const { hosted, other } = await start();
    other.emit('reply', kind);
    await stillServedAfter(other, seen === undefined ? [] : [seen]);
    other.emit('reply later', kind);
    other.emit('echo', 'between');
    const count = seen === undefined ? 2 : 4;
    await other.messages.reached(count, 'reply');
    other.emit('stream', kind);
    await other.messages.reached(count + (seen === undefined ? 1 : 2), 'reply');
    expect(other.events.at(-1)).toEqual({ event: 'after' });
    expect(hosted.service.report().races.unserializable).toBe(told ? 3 : 0);
    if (told)
      expect(hosted.logs.matching('warn', 'unserializable')[0]?.text).toContain('plain data');
    expect(other.messages.all.join('')).not.toContain('secret');
  });
});

async function stillServedAfter(client: WsClient, seen: unknown[]): Promise<void> {
  client.emit('echo', 'still here');
  await client.messages.reached(seen.length + 1, 'reply');
  expect(client.events).toEqual([...seen, { event: 'echo', data: 'still here' }]);
}
