import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { constants, deflateRawSync } from 'node:zlib';
import { WebSocket } from 'undici';
import { bodyOf } from './messages.js';
import { FrameReader, OPCODE, serverFrame } from './raw.frames.js';
import type { MessageSize, Pause } from './schedule.types.js';
import { pauseFor } from './turns.js';

/**
 * What `acknowledged` rests on: a WHATWG client discards what it reads once it has closed, but its
 * close frame leaves before the pongs to whatever it discards. Tried on undici, byte by byte.
 */
const MESSAGES = 12;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

interface Conversation {
  /** In order, each with the last message before its ping. */
  readonly pongs: { readonly covers: number; readonly afterClose: boolean }[];
  /** What the user was given, in order. */
  readonly dispatched: number[];
}

interface Case {
  readonly deflate: boolean;
  readonly size: MessageSize;
  /** When the client closes, counted from the event of the message that makes it close. */
  readonly when: Pause;
  readonly closeAt: number;
}

let server: Server;
let respond: (request: IncomingMessage, socket: Duplex) => void;

beforeAll(async () => {
  server = createServer();
  server.on('upgrade', (request, socket) => respond(request, socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
});

function messageFrame(n: number, { size, deflate }: Case): Buffer {
  const text = JSON.stringify(bodyOf(n, size));
  if (!deflate) return serverFrame(OPCODE.text, text);
  const whole = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
  return serverFrame(OPCODE.text, whole.subarray(0, -4), true);
}

/** All messages in one write, each with a ping behind it, and the upgrade's response before. */
function greeting(request: IncomingMessage, of: Case): Buffer {
  const key = request.headers['sec-websocket-key']!;
  const head = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: websocket',
    `Sec-WebSocket-Accept: ${createHash('sha1')
      .update(key + GUID)
      .digest('base64')}`,
    ...(of.deflate ? ['Sec-WebSocket-Extensions: permessage-deflate'] : []),
    '\r\n',
  ];
  const frames: Uint8Array[] = [Buffer.from(head.join('\r\n'))];
  for (let n = 1; n <= MESSAGES; n++) {
    frames.push(messageFrame(n, of), serverFrame(OPCODE.ping, String(n)));
  }
  return Buffer.concat(frames);
}

async function converse(of: Case): Promise<Conversation> {
  const conversation: Conversation = { pongs: [], dispatched: [] };
  respond = (request, socket) => {
    const reader = new FrameReader();
    let closed = false;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      for (const { opcode, payload } of reader.read(chunk)) {
        if (opcode === OPCODE.close) closed = true;
        if (opcode !== OPCODE.pong) continue;
        const covers = Number(payload);
        conversation.pongs.push({ covers, afterClose: closed });
        if (covers === MESSAGES) socket.end(serverFrame(OPCODE.close, Buffer.from([3, 232])));
      }
    });
    socket.write(greeting(request, of));
  };
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client.addEventListener('message', ({ data }) => {
    const { n } = JSON.parse(data as string) as { n: number };
    conversation.dispatched.push(n);
    if (n !== of.closeAt) return;
    if (of.when === 'none') client.close();
    else void pauseFor(of.when).then(() => client.close());
  });
  await new Promise<void>((resolve) => {
    client.addEventListener('close', () => resolve());
  });
  return conversation;
}

const MOMENTS: readonly Pause[] = ['none', 'microtask', 'tick', 1];

test.each([
  { deflate: false, size: 'small' },
  { deflate: false, size: 'large' },
  { deflate: true, size: 'small' },
  { deflate: true, size: 'large' },
] as const)(
  'a WHATWG client gave its user all before a ping it answered, unless it had closed before ' +
    'the answer ($size messages, deflate: $deflate)',
  async (kind) => {
    let discarded = 0;
    for (const when of MOMENTS) {
      for (const closeAt of [1, 2, 6, MESSAGES - 1]) {
        const { pongs, dispatched } = await converse({ ...kind, when, closeAt });
        const given = new Set(dispatched);
        for (const { covers, afterClose } of pongs) {
          if (!afterClose) expect([...given]).toContain(covers);
          else if (!given.has(covers)) discarded++;
        }
      }
    }
    expect(discarded).toBeGreaterThan(0);
  },
);
