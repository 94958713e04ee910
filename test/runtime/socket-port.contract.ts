import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import type { CloseFrame } from '../../src/core/close-request.js';
import {
  SharedMessage,
  type Handover,
  type MessageData,
  type SocketListener,
  type SocketPort,
} from '../../src/runtime/socket.port.js';

export interface PeerMessage {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** The other end, as far as the contract needs it. */
export interface ContractPeer {
  readonly messages: readonly PeerMessage[];
  /** Payloads of the pings it has read. */
  readonly pings: readonly string[];
  /** Messages and pings as it has read them. */
  readonly order: readonly string[];
  readonly closeFrame: CloseFrame | undefined;
  /** The stream from the port has ended. */
  readonly ended: boolean;
  send(data: string | Buffer): void;
  ping(payload: string): void;
  pong(payload: string): void;
  close(code: number, reason: string): void;
  /** Ends its side of the stream without a close frame. */
  end(): void;
  reset(): void;
  breakProtocol(): void;
  pause(): void;
  resume(): void;
}

export interface PeerTraits {
  readonly answersPings?: boolean;
}

export interface ConnectedPort {
  readonly port: SocketPort;
  readonly peer: ContractPeer;
}

export interface ConnectingPort {
  readonly port: SocketPort;
  /** Lets the opening handshake end. */
  readonly open: () => Promise<void>;
}

/** What a kind of port is tried with; whatever it opens, it takes down after the test. */
export interface PortKind {
  readonly sendsBlobs: boolean;
  /** The end of the stream may overtake what a decompressor still holds. */
  readonly endOvertakes: boolean;
  connect(listener: SocketListener, traits?: PeerTraits): Promise<ConnectedPort>;
  /** A port whose opening handshake waits for `open()`. */
  connecting(listener: SocketListener): Promise<ConnectingPort>;
}

type Report =
  | ['message', string, boolean]
  | ['pong', string]
  | ['peer-close', number, string]
  | ['protocol-failure', number, boolean]
  | ['peer-end']
  | ['closed'];

/** Writes down what a port reports. */
class Reports implements SocketListener {
  readonly all: Report[] = [];
  readonly pings: string[] = [];

  onMessage(data: unknown, isBinary: boolean): void {
    this.all.push(['message', (data as Buffer).toString(), isBinary]);
  }

  onPing(): void {
    this.pings.push('ping');
  }

  onPong(payload: Buffer): void {
    this.all.push(['pong', payload.toString()]);
  }

  onPeerClose({ code, reason }: CloseFrame): void {
    this.all.push(['peer-close', code, reason]);
  }

  onProtocolFailure(code: number, error: unknown): void {
    this.all.push(['protocol-failure', code, error instanceof Error]);
  }

  onPeerEnd(): void {
    this.all.push(['peer-end']);
  }

  onClosed(): void {
    this.all.push(['closed']);
  }

  has(kind: Report[0]): boolean {
    return this.all.some(([reported]) => reported === kind);
  }

  count(kind: Report[0]): number {
    return this.all.filter(([reported]) => reported === kind).length;
  }
}

/** One more turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Far beyond what any step takes on a busy machine, and below jest's own limit. */
const BOUND_MS = 8_000;

/** Waits until something has happened, but not for ever. */
async function until(happened: () => boolean): Promise<void> {
  const since = performance.now();
  while (!happened()) {
    if (performance.now() - since > BOUND_MS)
      throw new Error(`Waited in vain for ${happened.toString()}.`);
    // oxlint-disable-next-line no-await-in-loop
    await turn();
  }
}

const nothing = (): void => {};

/** Bytes that no compression makes smaller. */
const BIG = randomBytes(4 * 1024 * 1024);
const HUGE = randomBytes(32 * 1024 * 1024);

/** Sends by the one callback that serves all messages, and writes down what it was called with. */
class Sender {
  readonly results: (Error | null | undefined)[] = [];
  /** How many of them were taken at once, and told of by no callback. */
  taken = 0;

  constructor(private readonly port: SocketPort) {}

  get called(): number {
    return this.results.length - this.taken;
  }

  get written(): number {
    return this.results.filter((error) => !error).length;
  }

  get failed(): number {
    return this.results.length - this.written;
  }

  send(...messages: readonly MessageData[]): void {
    for (const message of messages) {
      this.#handedOver(this.port.send(message, undefined, this.#written));
    }
  }

  /** One for many, by its own way where there is one. */
  share(message: SharedMessage): void {
    const options = { binary: message.binary, shared: message };
    this.#handedOver(
      this.port.sendShared?.(message, this.#written) ??
        this.port.send(message.data, options, this.#written),
    );
  }

  #handedOver(handover: Handover): void {
    if (handover !== 'taken') return;
    this.taken++;
    this.results.push(undefined);
  }

  readonly #written = (error?: Error | null, messages = 1): void => {
    this.results.push(...Array.from({ length: messages }, () => error));
  };
}

/** Whatever implements `SocketPort` passes this. */
export function socketPortContract(name: string, kind: PortKind): void {
  async function connected(traits?: PeerTraits) {
    const reports = new Reports();
    const { port, peer } = await kind.connect(reports, traits);
    return { reports, port, peer, sender: new Sender(port) };
  }

  /** A connection whose kernel is full, so that messages wait on this side of it. */
  async function congested() {
    const connection = await connected();
    const { port, peer, sender } = connection;
    peer.pause();
    let sent = 0;
    do {
      sender.send(BIG);
      sent++;
      // What is compressed comes to the kernel when a thread is done with it.
      // oxlint-disable-next-line no-await-in-loop
      await until(() => sender.written === sent || port.blocked);
      // What the kernel takes shows within a few turns.
      // oxlint-disable-next-line no-await-in-loop
      for (let turns = 0; turns < 50 && sender.written < sent; turns++) await turn();
    } while (sender.written === sent);
    return { ...connection, sent };
  }

  /** All that is reported, in order, as far as this kind of port keeps it. */
  function expectReports(reports: Reports, expected: readonly Report[]): void {
    if (!kind.endOvertakes) {
      expect(reports.all).toEqual(expected);
      return;
    }
    const isEnd = ([what]: Report): boolean => what === 'peer-end';
    expect(reports.all.filter((report) => !isEnd(report))).toEqual(
      expected.filter((report) => !isEnd(report)),
    );
    expect(reports.count('peer-end')).toBe(expected.filter(isEnd).length);
  }

  const failure = expect.objectContaining({ message: expect.any(String) });
  const blob = (text: string): MessageData =>
    kind.sendsBlobs ? new Blob([text]) : Buffer.from(text);

  describe(`the port over ${name}`, () => {
    describe('sending', () => {
      test.each([false, true])(
        'one message for many goes out in its place, and is reported once (binary: %s)',
        async (binary) => {
          const { peer, sender } = await connected();
          sender.send('before');
          sender.share(new SharedMessage(Buffer.from('for all'), binary));
          sender.send('behind');
          await until(() => peer.messages.length === 3 && sender.results.length === 3);
          expect(peer.order).toEqual(['before', 'for all', 'behind']);
          expect(peer.messages[1]!.isBinary).toBe(binary);
          expect(sender.failed).toBe(0);
        },
      );

      test('every kind of message arrives as ws would send it, in the order of the calls', async () => {
        const { port, peer, sender } = await connected();
        const view = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
        const long = 'é'.repeat(40_000);
        sender.send(
          'text',
          '',
          42,
          Buffer.from('buffer'),
          blob('blob'),
          view,
          new Uint8Array([7]).buffer,
          [8, 9] as unknown as MessageData,
          long,
          blob('another'),
          'last',
        );
        await until(() => peer.messages.length === 11 && sender.results.length === 11);
        expect(
          peer.messages.map(({ data, isBinary }) => [data.toString('latin1'), isBinary]),
        ).toEqual([
          ['text', false],
          ['', false],
          ['42', false],
          ['buffer', true],
          ['blob', true],
          ['\u0001\u0002', true],
          ['\u0007', true],
          ['\b\t', true],
          [Buffer.from(long).toString('latin1'), false],
          ['another', true],
          ['last', false],
        ]);
        expect(sender.written).toBe(11);
        expect(port.bufferedAmount).toBe(0);
      });

      test('the options are those of ws', async () => {
        const { port, peer } = await connected();
        port.send('as binary', { binary: true }, nothing);
        port.send(Buffer.from('as text'), { binary: false, compress: false }, nothing);
        await until(() => peer.messages.length === 2);
        expect(peer.messages.map(({ isBinary }) => isBinary)).toEqual([true, false]);
      });

      test('the callback counts each message once, and never before send() has returned', async () => {
        const { port, peer, sender } = await connected();
        for (let index = 0; index < 200; index++) {
          const before = sender.called;
          const bytes = BIG.subarray(0, index * 37);
          sender.send(index % 50 === 49 ? blob(bytes.toString('latin1')) : bytes);
          expect(sender.called).toBe(before);
        }
        await until(() => sender.results.length >= 200 && peer.messages.length === 200);
        await turn();
        expect(sender.results).toHaveLength(200);
        expect(sender.written).toBe(200);
        expect(port.bufferedAmount).toBe(0);
      });

      test('one a turn is reported once each, whether it is taken at once or not', async () => {
        const { port, peer, sender } = await connected();
        const texts = Array.from({ length: 40 }, (_, index) => `message ${index}`);
        for (const [index, text] of texts.entries()) {
          if (index % 2 === 0) sender.send(text);
          else sender.share(new SharedMessage(Buffer.from(text), false));
          await until(() => sender.results.length > index);
          await turn();
          expect(sender.results).toHaveLength(index + 1);
        }
        await until(() => peer.messages.length === texts.length);
        expect(peer.order).toEqual(texts);
        expect([sender.failed, port.bufferedAmount]).toEqual([0, 0]);
      });

      test('none is taken at once while one is pending', async () => {
        const { peer, sender } = await connected();
        let sent = 0;
        for (let round = 0; round < 40; round++) {
          const pending = sent - sender.results.length;
          const before = sender.taken;
          sender.send(`first of round ${round}`);
          if (pending > 0) expect(sender.taken).toBe(before);
          const { taken } = sender;
          if (round % 10 === 0) sender.send('second', 'third');
          expect(sender.taken).toBe(taken);
          sent += round % 10 === 0 ? 3 : 1;
          if (round % 3 > 0) await turn();
        }
        await until(() => peer.messages.length === sent && sender.results.length === sent);
        expect(sender.failed).toBe(0);
      });

      test('what can not be sent throws, and sends nothing', async () => {
        const { peer, sender } = await connected();
        for (const unsendable of [{}, Symbol('no'), true, 7n]) {
          expect(() => sender.send(unsendable as MessageData)).toThrow(/.+/);
        }
        sender.send('next');
        await until(() => peer.messages.length > 0 && sender.results.length > 0);
        await turn();
        expect(peer.messages.map(({ data }) => data.toString())).toEqual(['next']);
        expect(sender.results).toHaveLength(1);
      });

      test('what is falsy is an empty message', async () => {
        const { peer, sender } = await connected();
        sender.send(...([undefined, null, false] as unknown as MessageData[]));
        await until(() => peer.messages.length === 3 && sender.results.length === 3);
        expect(peer.messages.map(({ data }) => data.length)).toEqual([0, 0, 0]);
      });
    });

    describe('a reader that is behind', () => {
      test('bytes that the kernel does not take are counted, and their callbacks wait', async () => {
        const { port, peer, sender, sent } = await congested();
        const { bufferedAmount } = port;
        const { written } = sender;
        expect(bufferedAmount).toBeGreaterThan(0);
        sender.send(Buffer.alloc(1_000), Buffer.alloc(1_000));
        await turn();
        expect(port.bufferedAmount).toBeGreaterThanOrEqual(bufferedAmount + 2_000);
        expect(sender.results).toHaveLength(written);
        peer.resume();
        await until(() => peer.messages.length === sent + 2 && sender.results.length === sent + 2);
        expect(sender.written).toBe(sent + 2);
        expect(port.bufferedAmount).toBe(0);
        expect(peer.messages[0]!.data.equals(BIG)).toBe(true);
      });

      test('progress within one message shows in the mark before its callback comes', async () => {
        const { port, peer, sender, sent } = await congested();
        sender.send(HUGE);
        const still = port.progressMark();
        await turn();
        expect(port.progressMark()).toBe(still);
        peer.resume();
        const marks = new Set<number>();
        await until(() => marks.add(port.progressMark()).size > 0 && sender.written > sent);
        expect(marks.size).toBeGreaterThan(4);
      });
    });

    describe('pings', () => {
      test('a ping keeps its place among the messages, and its pong is reported', async () => {
        const { port, peer, reports, sender } = await connected();
        peer.pause();
        sender.send('before', blob('blob'));
        port.ping(Buffer.from('mark'));
        sender.send('behind');
        expect(peer.pings).toEqual([]);
        peer.resume();
        await until(() => reports.has('pong'));
        expect(reports.all).toEqual([['pong', 'mark']]);
        expect(peer.order.slice(0, 3)).toEqual(['before', 'blob', 'ping mark']);
        await until(() => peer.messages.length === 3);
      });

      test("the peer's own ping is reported", async () => {
        const reports = new Reports();
        const { peer } = await kind.connect(reports);
        peer.ping('there?');
        await until(() => reports.pings.length > 0);
        expect(reports.pings).toHaveLength(1);
      });

      test('a pong that nobody asked for is reported, too', async () => {
        const { peer, reports } = await connected({ answersPings: false });
        peer.pong('unasked');
        await until(() => reports.has('pong'));
        expect(reports.all).toEqual([['pong', 'unasked']]);
      });

      test('a peer that does not answer is not reported', async () => {
        const { port, peer, reports } = await connected({ answersPings: false });
        port.ping(Buffer.from('mark'));
        await until(() => peer.pings.length === 1);
        peer.send('still here');
        await until(() => reports.has('message'));
        expect(reports.all).toEqual([['message', 'still here', false]]);
      });
    });

    describe('receiving', () => {
      test('messages are reported in order, as text or binary', async () => {
        const { peer, reports } = await connected();
        peer.send('one');
        peer.send(Buffer.from('two'));
        peer.send('');
        await until(() => reports.count('message') === 3);
        expect(reports.all).toEqual([
          ['message', 'one', false],
          ['message', 'two', true],
          ['message', '', false],
        ]);
      });

      test('while it is paused nothing is read, and after it nothing is missing', async () => {
        const { port, peer, reports } = await connected();
        port.pause();
        peer.send('held');
        peer.pong('held, too');
        port.ping(Buffer.from('unanswered'));
        await until(() => peer.pings.length === 1);
        await turn();
        await turn();
        expect(reports.all).toEqual([]);
        port.resume();
        await until(() => reports.all.length === 3);
        expect(reports.all).toEqual([
          ['message', 'held', false],
          ['pong', 'held, too'],
          ['pong', 'unanswered'],
        ]);
      });

      test('pausing twice, or resuming what was not paused, does no harm', async () => {
        const { port, peer, reports } = await connected();
        port.resume();
        port.pause();
        port.pause();
        port.resume();
        port.resume();
        peer.send('read');
        await until(() => reports.has('message'));
        expect(reports.all).toEqual([['message', 'read', false]]);
      });

      test('a paused peer is not known to have left until it is read on', async () => {
        const { port, peer, reports } = await connected();
        port.pause();
        peer.close(4001, 'left');
        peer.end();
        await turn();
        await turn();
        expect(reports.all).toEqual([]);
        port.resume();
        await until(() => reports.has('peer-end') && reports.has('peer-close'));
        expectReports(reports, [['peer-close', 4001, 'left'], ['peer-end']]);
      });
    });

    describe('our close frame', () => {
      test('it goes behind the data, and the answer and the end are reported once each', async () => {
        const { port, peer, reports, sender } = await connected();
        sender.send('first', blob('blob'), BIG);
        port.close({ code: 4000, reason: 'done – é' });
        expect(port.writable).toBe(false);
        await until(() => reports.has('peer-close'));
        port.end();
        await until(() => reports.has('closed') && peer.ended);
        await turn();
        expectReports(reports, [['peer-close', 4000, 'done – é'], ['peer-end'], ['closed']]);
        expect(peer.messages).toHaveLength(3);
        expect(peer.closeFrame).toEqual({ code: 4000, reason: 'done – é' });
        expect(sender.written).toBe(3);
        expect(port.closeWritten).toBe(true);
      });

      test('1005 stands for one without a code', async () => {
        const { port, peer, reports } = await connected();
        port.close({ code: 1005, reason: '' });
        await until(() => reports.has('peer-close'));
        port.end();
        await until(() => peer.ended);
        expect(peer.closeFrame).toEqual({ code: 1005, reason: '' });
        expect(reports.all[0]).toEqual(['peer-close', 1005, '']);
      });

      test('nothing follows it: a message fails, a ping is left out', async () => {
        const { port, peer, reports, sender } = await connected();
        port.close({ code: 1000, reason: '' });
        sender.send('late', Buffer.from('late'));
        expect(() => sender.send({} as MessageData)).toThrow(/.+/);
        port.ping(Buffer.from('late'));
        expect(sender.results).toEqual([]);
        await until(() => sender.results.length === 2 && reports.has('peer-close'));
        port.ping(Buffer.from('late'), true);
        port.close({ code: 1011, reason: 'again' });
        port.end();
        await until(() => reports.has('closed') && peer.ended);
        expect(sender.results).toEqual([failure, failure]);
        expect(peer.messages).toEqual([]);
        expect(peer.pings).toEqual([]);
        expect(peer.closeFrame).toEqual({ code: 1000, reason: '' });
      });

      test('messages that came before the answer are reported before it', async () => {
        const { port, peer, reports } = await connected();
        peer.send('on its way');
        port.close({ code: 1000, reason: '' });
        await until(() => reports.has('peer-close'));
        expect(reports.all.filter(([what]) => what !== 'peer-end').slice(0, 2)).toEqual([
          ['message', 'on its way', false],
          ['peer-close', 1000, ''],
        ]);
      });

      test('where the peer has read all and closed, the socket ends', async () => {
        const { port, peer, reports } = await connected();
        port.ping(Buffer.from('read?'), true);
        port.close({ code: 4000, reason: 'done' });
        await until(() => reports.has('pong') && reports.has('peer-close'));
        port.end(true);
        await until(() => reports.has('closed') && peer.ended);
        expect(reports.all.filter(([what]) => what !== 'peer-end')).toEqual([
          ['pong', 'read?'],
          ['peer-close', 4000, 'done'],
          ['closed'],
        ]);
        expect(peer.closeFrame).toEqual({ code: 4000, reason: 'done' });
      });

      test('what the kernel has not taken is not given up, even if all is said to be read', async () => {
        const { port, peer, reports, sender, sent } = await congested();
        port.close({ code: 4000, reason: '' });
        port.end(true);
        peer.resume();
        await until(() => reports.has('peer-close') && peer.closeFrame !== undefined);
        expect([peer.messages.length, sender.written]).toEqual([sent, sent]);
        port.end(true);
        await until(() => reports.has('closed') && peer.ended);
      });

      test('while the kernel has not taken it, the port says so', async () => {
        const { port, peer, reports, sender, sent } = await congested();
        expect(port.closeWritten).toBe(false);
        port.close({ code: 1001, reason: '' });
        await turn();
        expect(port.closeWritten).toBe(false);
        peer.resume();
        await until(() => reports.has('peer-close'));
        expect(port.closeWritten).toBe(true);
        expect(sender.written).toBe(sent);
      });
    });

    describe("the peer's close frame", () => {
      test('it is reported once, and not answered until the port is told to', async () => {
        const { port, peer, reports, sender } = await connected();
        peer.close(4002, 'leaving – é');
        await until(() => reports.has('peer-close'));
        await turn();
        expect(reports.all).toEqual([['peer-close', 4002, 'leaving – é']]);
        expect(port.writable).toBe(true);
        expect(peer.closeFrame).toBeUndefined();
        sender.send('before the answer');
        port.close({ code: 4002, reason: 'leaving – é' });
        port.end();
        await until(() => reports.has('closed') && peer.ended);
        expect(sender.written).toBe(1);
        expectReports(reports, [['peer-close', 4002, 'leaving – é'], ['peer-end'], ['closed']]);
        expect(peer.closeFrame).toEqual({ code: 4002, reason: 'leaving – é' });
      });

      test('one without a code is reported as 1005', async () => {
        const { peer, reports } = await connected();
        peer.close(1005, '');
        await until(() => reports.has('peer-close'));
        expect(reports.all).toEqual([['peer-close', 1005, '']]);
      });

      test('where the two cross, each is reported once, and the socket ends', async () => {
        const { port, peer, reports } = await connected();
        peer.close(4003, 'mine');
        port.close({ code: 4004, reason: 'yours' });
        await until(() => reports.has('peer-close'));
        port.end();
        await until(() => reports.has('closed') && peer.ended);
        await turn();
        expectReports(reports, [['peer-close', 4003, 'mine'], ['peer-end'], ['closed']]);
        expect(peer.closeFrame).toEqual({ code: 4004, reason: 'yours' });
      });
    });

    describe('a peer that leaves without a close frame', () => {
      test('the end of its stream is reported, and the socket ends', async () => {
        const { port, peer, reports } = await connected();
        peer.send('last words');
        peer.end();
        await until(() => reports.has('peer-end'));
        expect(port.writable).toBe(false);
        port.end();
        await until(() => reports.has('closed'));
        expectReports(reports, [['message', 'last words', false], ['peer-end'], ['closed']]);
      });

      test('what the kernel had taken before its end still arrives', async () => {
        const { port, peer, reports, sender } = await connected();
        sender.send('one', 'two');
        await until(() => sender.written === 2);
        peer.end();
        await until(() => reports.has('closed') && peer.ended);
        expect(peer.messages.map(({ data }) => data.toString())).toEqual(['one', 'two']);
        expect(port.writable).toBe(false);
      });

      test('a message that comes after its end fails', async () => {
        const { peer, reports, sender } = await connected();
        peer.end();
        await until(() => reports.has('peer-end'));
        sender.send('too late');
        await until(() => sender.results.length === 1);
        expect(sender.results).toEqual([failure]);
        expect(peer.messages).toEqual([]);
      });

      test('a reset is reported as the end of the socket, once', async () => {
        const { peer, reports } = await connected();
        peer.reset();
        await until(() => reports.has('closed'));
        await turn();
        expect(reports.all).toEqual([['closed']]);
      });

      test('a reset fails every message that the kernel has not taken', async () => {
        const { peer, reports, sender, sent } = await congested();
        const { written } = sender;
        sender.send('waiting', 'too');
        peer.reset();
        await until(() => reports.has('closed') && sender.results.length === sent + 2);
        expect(sender.written).toBe(written);
        expect(sender.results.at(-1)).toEqual(failure);
      });
    });

    describe('a peer that breaks the protocol', () => {
      test('it is reported once, with the code to close with', async () => {
        const { port, peer, reports } = await connected();
        peer.send('fine');
        peer.breakProtocol();
        await until(() => reports.has('protocol-failure'));
        await turn();
        expect(reports.all).toEqual([
          ['message', 'fine', false],
          ['protocol-failure', 1002, true],
        ]);
        expect(port.writable).toBe(true);
      });

      test('it can be told why, and the socket ended without an answer', async () => {
        const { port, peer, reports } = await connected();
        peer.breakProtocol();
        await until(() => reports.has('protocol-failure'));
        port.close({ code: 1002, reason: '' });
        port.end();
        await until(() => peer.closeFrame !== undefined && reports.has('closed'));
        expect(peer.closeFrame).toEqual({ code: 1002, reason: '' });
        expect(reports.count('protocol-failure')).toBe(1);
        expect(reports.has('peer-close')).toBe(false);
      });
    });

    describe('destroying', () => {
      test('the end is reported once, and later', async () => {
        const { port, peer, reports } = await connected();
        port.destroy();
        expect(port.writable).toBe(false);
        expect(reports.all).toEqual([]);
        await until(() => reports.has('closed') && peer.ended);
        port.destroy();
        port.end();
        port.close({ code: 1000, reason: '' });
        await turn();
        expect(reports.all).toEqual([['closed']]);
        expect(peer.closeFrame).toBeUndefined();
      });

      test('nobody hears of it, nor of a message, before destroy() has returned', async () => {
        const { port, reports, sender } = await connected();
        sender.send('one', 'two');
        port.destroy();
        expect(reports.all).toEqual([]);
        expect(sender.results).toEqual([]);
        await until(() => reports.has('closed') && sender.results.length === 2);
      });

      test('no message that the kernel has not taken is reported written', async () => {
        const { port, reports, sender, sent } = await congested();
        const { written } = sender;
        sender.send('waiting', 'too');
        port.destroy();
        await until(() => reports.has('closed') && sender.results.length === sent + 2);
        expect(sender.written).toBe(written);
        expect(sender.results.at(-1)).toEqual(failure);
      });

      test('afterwards a message fails later rather than throws, and a ping does nothing', async () => {
        const { port, reports, sender } = await connected();
        port.destroy();
        await until(() => reports.has('closed'));
        sender.send('late');
        port.ping(Buffer.from('late'));
        expect(sender.results).toEqual([]);
        await until(() => sender.results.length === 1);
        expect(sender.results).toEqual([failure]);
      });

      test('a paused socket can be destroyed', async () => {
        const { port, reports } = await connected();
        port.pause();
        port.destroy();
        await until(() => reports.has('closed'));
        expect(reports.all).toEqual([['closed']]);
      });
    });

    describe('an opening handshake that has not ended', () => {
      test('the port says so until it has', async () => {
        const { port, open } = await kind.connecting(new Reports());
        expect(port.connecting).toBe(true);
        expect(port.writable).toBe(false);
        expect(port.bufferedAmount).toBe(0);
        await open();
        expect(port.connecting).toBe(false);
        expect(port.writable).toBe(true);
      });

      test('a ping is left out, and so is a resume', async () => {
        const { port, open } = await kind.connecting(new Reports());
        expect(() => {
          port.ping(Buffer.from('early'));
          port.resume();
        }).not.toThrow();
        expect(port.progressMark()).toBe(0);
        await open();
        expect(port.writable).toBe(true);
      });

      test.each(['close', 'end', 'destroy'] as const)('%s gives it up', async (method) => {
        const reports = new Reports();
        const { port } = await kind.connecting(reports);
        if (method === 'close') port.close({ code: 1000, reason: '' });
        else port[method]();
        expect(reports.all).toEqual([]);
        await until(() => reports.has('closed'));
        await turn();
        expect(reports.all).toEqual([['closed']]);
        expect(port.connecting).toBe(false);
        expect(port.writable).toBe(false);
      });
    });
  });
}
