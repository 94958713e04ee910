import { expect } from '@jest/globals';
import { WebSocketGateway } from '@nestjs/websockets';
import { startApp } from '../../support/app.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { nextMacrotask, Tally } from '../../support/waiting.js';

const TIMEOUT_MS = 500;

/** ws's own close timeout, which alone bounds a close on the stock stack. */
@WebSocketGateway({ closeTimeout: TIMEOUT_MS })
class Feed extends Reception {}

/** A slow reader is waited for, however much it has to read. */
const PATIENT = { send: { maxBuffered: Infinity } };
const TIMEOUTS = {
  ...PATIENT,
  close: { flushTimeout: TIMEOUT_MS, handshakeTimeout: TIMEOUT_MS },
};

/** More than the kernel takes for a reader that does not read. */
const TOTAL_BYTES = 16 * 1024 * 1024;
const MESSAGE = 'x'.repeat(64 * 1024);
const MESSAGES = TOTAL_BYTES / MESSAGE.length;
/** Takes several timeouts for all of it. */
const PACE = { bytes: 256 * 1024, everyMs: 40 };

/** As a handler does that computes for too long. */
function blockEventLoop(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

race(
  'a slow reader gets all that was queued before the close, though it takes several timeouts',
  { guarantee: 'G5', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Feed], options: TIMEOUTS });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Feed).socket();
    peer.readSlowly(PACE);
    for (let message = 0; message < MESSAGES; message++) socket.send(MESSAGE);
    socket.close(4000, 'bye');
    await peer.ended();
    expect(peer.messages.count).toBe(MESSAGES);
    expect(peer.closes.all).toEqual([{ code: 4000, reason: 'bye' }]);
    expect(await app.outcomeOf(socket)).toMatchObject({
      handshake: 'clean',
      acknowledged: true,
      written: MESSAGES,
      lost: 0,
    });
  },
);

race(
  "a slow reader is not cut off for the server's own blocked event loop",
  { guarantee: 'G5', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Feed], options: TIMEOUTS });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Feed).socket();
    peer.readSlowly(PACE);
    for (let message = 0; message < MESSAGES; message++) socket.send(MESSAGE);
    socket.close(4000, 'bye');
    await peer.messages.reached(MESSAGES / 8, 'message read by the slow reader');
    blockEventLoop(3 * TIMEOUT_MS);
    await peer.ended();
    expect(peer.messages.count).toBe(MESSAGES);
    expect(peer.closes.all).toEqual([{ code: 4000, reason: 'bye' }]);
  },
);

race(
  'a slow reader of one large message gets it whole, and the close after it',
  { guarantee: 'G5', stock: 'fails' },
  async () => {
    const app = await startApp({
      gateways: [Feed],
      options: { ...PATIENT, close: { flushTimeout: 2 * TIMEOUT_MS, handshakeTimeout: 5_000 } },
    });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Feed).socket();
    peer.readSlowly(PACE);
    socket.send('x'.repeat(TOTAL_BYTES));
    socket.close(4000, 'bye');
    await peer.ended();
    expect(peer.messages.all.map(({ length }) => length)).toEqual([TOTAL_BYTES]);
    expect(peer.closes.all).toEqual([{ code: 4000, reason: 'bye' }]);
  },
);

race(
  'a reader that takes nothing is cut off, and what was accepted is told as written or as lost',
  { guarantee: 'G3', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Feed], options: TIMEOUTS });
    const peer = await RawPeer.connect(app.url());
    const socket = await app.gateway(Feed).socket();
    peer.freeze();
    const sends = Array.from({ length: MESSAGES }, () => app.service.send(socket, MESSAGE));
    const outcome = await app.service.close(socket, 4000, 'bye');
    expect(outcome).toMatchObject({
      initiator: 'server',
      handshake: 'terminated',
      acknowledged: false,
      code: 1006,
      requests: [{ code: 4000, reason: 'bye', superseded: false }],
    });
    expect(outcome.lost).toBeGreaterThan(0);
    expect(outcome.written + outcome.lost).toBe(MESSAGES);
    const settled = await Promise.all(sends);
    const lost = settled.filter(({ status }) => status === 'lost');
    expect(lost).toHaveLength(outcome.lost);
    for (const send of lost) expect(send).toMatchObject({ cause: 'flush-timeout' });
    expect(settled.filter(({ status }) => status === 'written')).toHaveLength(outcome.written);
    expect(app.met('flush-timeout')).toBe(1);

    peer.socket.resume();
    await peer.ended();
    const never = lost.filter((send) => send.status === 'lost' && send.sent === 'no');
    expect(never.length).toBeGreaterThan(0);
    expect(peer.messages.count).toBeLessThanOrEqual(MESSAGES - never.length);
    expect(peer.closes.count).toBe(0);
  },
);

race(
  'no callback of send() reports success for a message that terminate() has lost',
  { guarantee: 'G3', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Feed], options: PATIENT });
    for (let round = 0; round < 5; round++) {
      // A pong to a socket that is gone would make the kernel drop what it holds for the peer.
      const peer = await RawPeer.connect(app.url(), { answersPings: false });
      const socket = await app.gateway(Feed).socket(round);
      peer.freeze();
      const called = new Tally<Error | null | undefined>();
      for (let message = 0; message < MESSAGES; message++) {
        socket.send(MESSAGE, (error) => called.add(error));
      }
      await nextMacrotask();
      socket.terminate();
      await called.reached(MESSAGES, 'callback of send()');
      peer.socket.resume();
      await peer.ended();
      const successes = called.all.filter((error) => !error).length;
      expect(successes).toBeLessThanOrEqual(peer.messages.count);
    }
  },
);
