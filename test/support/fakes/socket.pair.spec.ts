import { describe, expect, test } from '@jest/globals';
import type { Frame } from './frames.js';
import { createSocketPair } from './socket.pair.js';
import { TaskQueue } from './task.queue.js';

// What every port must do is tried in test/runtime/socket.port.spec.ts; this is about the rest.

function pairOf(kernelBuffer = 100) {
  const io = new TaskQueue();
  const pair = createSocketPair({ schedule: io.schedule, kernelBuffer });
  const written: (Error | null | undefined)[] = [];
  const reports: string[] = [];
  pair.port.listener = {
    onMessage: (data) => reports.push(`message ${(data as Buffer).toString()}`),
    onPing: () => reports.push('ping'),
    onPong: (payload) => reports.push(`pong ${payload.toString()}`),
    onPeerClose: ({ code }) => reports.push(`peer close ${code}`),
    onProtocolFailure: (code) => reports.push(`protocol failure ${code}`),
    onPeerEnd: () => reports.push('peer end'),
    onClosed: () => reports.push('closed'),
  };
  const send = (bytes: number): void => {
    pair.port.send('x'.repeat(bytes), undefined, (error) => written.push(error));
  };
  return { ...pair, io, written, reports, send };
}

const kindsOf = (frames: readonly Frame[]): string[] => frames.map(({ type }) => type);

describe('a pair of sockets in memory', () => {
  test('nothing happens on its own but by the schedule', () => {
    const { io, peer, send, written } = pairOf();
    send(10);
    expect(peer.messages).toEqual([]);
    expect(written).toEqual([]);
    expect(io.pending()).toBe(2);
    expect(io.runNext('reading')).toBe(true);
    expect(peer.texts).toEqual(['x'.repeat(10)]);
    expect(written).toEqual([]);
    expect(io.runNext('written')).toBe(true);
    expect(written).toHaveLength(1);
    expect(io.runNext()).toBe(false);
  });

  test('by default it runs on microtasks', async () => {
    const { port, peer } = createSocketPair();
    const done = new Promise((resolve) => {
      port.send('hello', undefined, resolve);
    });
    expect(peer.texts).toEqual([]);
    await done;
    await Promise.resolve();
    expect(peer.texts).toEqual(['hello']);
  });

  test('the kernel takes what fits, and the rest as the peer reads', () => {
    const { io, port, peer, send, written } = pairOf(100);
    peer.pause();
    send(58);
    send(198);
    io.run();
    expect(written).toHaveLength(1);
    expect(peer.unread).toBe(100);
    expect(port.progressMark()).toBe(200 + 2 - 40);
    expect(port.bufferedAmount).toBe(202);
    peer.read(60);
    expect(peer.texts).toEqual(['x'.repeat(58)]);
    expect(port.progressMark()).toBe(102);
    peer.read(100);
    peer.read(100);
    expect(port.progressMark()).toBe(0);
    expect(port.bufferedAmount).toBe(202);
    io.run();
    expect(port.bufferedAmount).toBe(0);
    expect(written).toHaveLength(2);
    expect(peer.texts).toHaveLength(1);
    peer.read();
    expect(peer.texts).toHaveLength(2);
  });

  test('what is written while a write is under way goes out together, as in Node', () => {
    const { io, port, peer, send, written } = pairOf(100);
    peer.pause();
    send(118);
    send(8);
    send(8);
    io.run();
    expect(written).toEqual([]);
    peer.read(20);
    expect(port.progressMark()).toBe(0);
    expect(port.bufferedAmount).toBe(140);
    io.runNext('written');
    expect(written).toHaveLength(1);
    expect(port.progressMark()).toBe(20);
    peer.read(10);
    expect(port.progressMark()).toBe(10);
    io.run();
    expect(written).toHaveLength(1);
    peer.read(10);
    io.run();
    expect(written).toHaveLength(3);
  });

  test('a paused peer is frozen: it answers nothing until it reads', () => {
    const { io, port, peer, reports } = pairOf();
    peer.pause();
    port.ping(Buffer.from('mark'));
    port.close({ code: 1000, reason: '' });
    io.run();
    expect(peer.frames).toEqual([]);
    expect(reports).toEqual([]);
    peer.resume();
    io.run();
    expect(kindsOf(peer.frames)).toEqual(['ping', 'close']);
    expect(reports).toEqual(['pong mark', 'peer close 1000']);
  });

  test('a peer without good habits answers neither pings nor close frames', () => {
    const { io, port, peer, reports } = pairOf();
    Object.assign(peer.habits, { answersPings: false, answersClose: false });
    port.ping(Buffer.from('mark'));
    port.close({ code: 1000, reason: '' });
    io.run();
    expect(kindsOf(peer.frames)).toEqual(['ping', 'close']);
    expect(reports).toEqual([]);
    expect(peer.closeFrame).toEqual({ code: 1000, reason: '' });
  });

  test('like a browser, a peer can discard what it reads after its own close', () => {
    const { io, port, peer, send } = pairOf();
    peer.habits.discardsAfterClose = true;
    peer.pause();
    send(5);
    port.ping(Buffer.from('mark'));
    peer.close(1000, 'mine');
    peer.resume();
    port.close({ code: 1001, reason: '' });
    port.end();
    io.run();
    expect(peer.messages).toEqual([]);
    expect(kindsOf(peer.frames)).toEqual(['message', 'ping', 'close']);
    expect(peer.closed).toEqual({ code: 1001, reason: '', wasClean: true });
  });

  test('nothing that a peer sends follows its close frame, an answer to a ping least of all', () => {
    const { io, port, peer, reports } = pairOf();
    peer.close(4000, 'once');
    peer.close(4001, 'twice');
    peer.send('late');
    port.ping(Buffer.from('mark'));
    io.run();
    expect(reports).toEqual(['peer close 4000']);
  });

  test('the end of a clean close is told on both sides', () => {
    const { io, port, peer, reports } = pairOf();
    port.close({ code: 4001, reason: 'bye' });
    io.run();
    port.end();
    io.run();
    expect(reports).toEqual(['peer close 4001', 'peer end', 'closed']);
    expect(peer.closed).toEqual({ code: 4001, reason: 'bye', wasClean: true });
    expect(port.closed).toBe(true);
  });

  test('a socket that is destroyed leaves the peer what the kernel had taken', () => {
    const { io, port, peer, send, written } = pairOf(100);
    peer.pause();
    send(58);
    send(98);
    port.destroy();
    io.run();
    peer.resume();
    io.run();
    expect(peer.texts).toEqual(['x'.repeat(58)]);
    expect(peer.closed).toEqual({ code: 1006, reason: '', wasClean: false });
    expect(written).toEqual([
      expect.objectContaining({ message: 'The socket was destroyed.' }),
      expect.objectContaining({ message: 'The socket was destroyed.' }),
    ]);
  });

  test('one that is reset loses that, too', () => {
    const { io, port, peer, send } = pairOf(100);
    port.resets = true;
    peer.pause();
    send(58);
    io.run();
    port.destroy();
    peer.resume();
    io.run();
    expect(peer.texts).toEqual([]);
    expect(peer.closed).toEqual({ code: 1006, reason: '', wasClean: false });
  });

  test('a stuck transport never reports the end', () => {
    const { io, port, reports } = pairOf();
    port.stuck = true;
    port.destroy();
    io.run();
    expect(reports).toEqual([]);
  });

  test('a peer that ends only its side still reads', () => {
    const { io, peer, send, reports, written } = pairOf();
    send(5);
    peer.pause();
    peer.end();
    io.run();
    expect(reports).toEqual(['peer end', 'closed']);
    send(5);
    io.run();
    expect(written).toEqual([undefined, expect.any(Error)]);
    peer.resume();
    io.run();
    expect(peer.messages).toHaveLength(1);
    expect(peer.closed?.wasClean).toBe(false);
  });

  test('a peer that is reset does nothing any more', () => {
    const { io, peer, send, reports } = pairOf();
    send(5);
    peer.reset();
    peer.send('late');
    peer.read();
    io.run();
    expect(peer.messages).toEqual([]);
    expect(reports).toEqual(['closed']);
  });

  test('back-pressure works towards the server, too', () => {
    const { io, port, peer, reports } = pairOf(100);
    port.pause();
    for (let index = 0; index < 5; index++) peer.send(`${index}`.repeat(58));
    io.run();
    expect(reports).toEqual([]);
    port.resume();
    io.run();
    expect(reports.map((report) => report.slice(0, 9))).toEqual(
      [0, 1, 2, 3, 4].map((index) => `message ${index}`),
    );
  });

  test('sizes are those of the wire', () => {
    const { port, peer, io } = pairOf(1_000_000);
    peer.pause();
    const sizes: number[] = [];
    const measure = (action: () => void): void => {
      const before = peer.unread;
      action();
      sizes.push(peer.unread - before);
    };
    for (const bytes of [0, 125, 126, 65_535, 65_536]) {
      measure(() => port.send('x'.repeat(bytes), undefined, () => {}));
    }
    measure(() => port.ping(Buffer.alloc(4)));
    measure(() => port.close({ code: 1000, reason: 'é' }));
    io.run();
    expect(sizes).toEqual([2, 127, 130, 65_539, 65_546, 6, 6]);
  });
});
