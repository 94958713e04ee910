import { expect, test } from '@jest/globals';
import type { WebSocket } from 'ws';
import type { BroadcastOutcome, Connection, Target } from '../../src/index.js';
import { Random } from '../e2e/truth/random.js';
import { RawPeer } from '../support/clients/raw.peer.js';
import { nextMacrotask, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host, type Hosted } from './hosting.js';

const PEERS = 8;
const TURNS = 40;

/** One connection, both of its ends, and what the peer must come to read. */
interface Line {
  readonly peer: RawPeer;
  readonly socket: WebSocket;
  readonly connection: Connection;
  readonly wanted: string[];
  closed: boolean;
}

async function linesOf(hosted: Hosted, gateway: Echo): Promise<Line[]> {
  const lines: Line[] = [];
  for (let index = 0; index < PEERS; index++) {
    // One by one, so that the ends of each are known by their place.
    // oxlint-disable-next-line no-await-in-loop
    const peer = await RawPeer.connect(hosted.url());
    // oxlint-disable-next-line no-await-in-loop
    const socket = await gateway.arrivals.at(index, 'arrival');
    const connection = hosted.service.connection(socket)!;
    if (index % 2 === 0) connection.join('even');
    lines.push({ peer, socket, connection, wanted: [], closed: false });
  }
  return lines;
}

function sum({ written, dropped, lost, refused }: BroadcastOutcome): number {
  return Object.values(refused).reduce((total, count) => total + count, written + dropped + lost);
}

class Schedule {
  readonly broadcasts: { outcome: Promise<BroadcastOutcome>; targets: number }[] = [];
  #texts = 0;

  constructor(
    private readonly random: Random,
    private readonly hosted: Hosted,
    private readonly lines: Line[],
  ) {}

  /** A few things in one turn, to any of the connections. */
  turn(): void {
    for (let left = this.random.int(1, 24); left > 0; left--) this.#act();
  }

  #act(): void {
    const line = this.random.pick(this.lines);
    const what = this.random.weighted({
      broadcast: 12,
      room: 3,
      send: 3,
      raw: 2,
      ping: 1,
      acknowledged: 1,
      close: 0.1,
    });
    if (what === 'broadcast') this.#broadcast({}, () => true);
    else if (what === 'room') this.#broadcast({ room: 'even' }, (index) => index % 2 === 0);
    else if (what === 'close') this.#close(line);
    else if (what === 'ping') line.socket.ping();
    else if (what === 'acknowledged') void line.connection.acknowledged();
    else this.#send(line, what === 'raw');
  }

  #text(): string {
    const size = this.random.weighted({ 10: 8, 300: 2, 6000: 1, 70000: 0.05 });
    return `${++this.#texts} ${'é'.repeat(this.random.int(0, Number(size)))}`;
  }

  #broadcast(target: Target, includes: (index: number) => boolean): void {
    const data = this.#text();
    const targets = this.lines.filter(({ closed }, index) => !closed && includes(index));
    for (const { wanted } of targets) wanted.push(JSON.stringify({ event: 'all', data }));
    const outcome = this.hosted.service.broadcast(target, 'all', data);
    this.broadcasts.push({ outcome, targets: targets.length });
  }

  #send({ socket, connection, wanted, closed }: Line, raw: boolean): void {
    if (closed) return;
    const text = this.#text();
    wanted.push(text);
    if (raw) socket.send(text);
    else void connection.send(text);
  }

  /** What is sent in this macrotask still goes before it; broadcasts leave it out. */
  #close(line: Line): void {
    if (line.closed) return;
    line.closed = true;
    line.socket.close(1000);
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'broadcasts among all else that happens keep their place, and add up (seed %i)',
  async (seed) => {
    const Gateway = gatewayOf(Echo);
    const send = { maxBuffered: Infinity };
    const hosted = await host({ providers: [Gateway], safeClose: { send } });
    const lines = await linesOf(hosted, hosted.get(Gateway));
    const schedule = new Schedule(new Random(seed), hosted, lines);
    for (let turn = 0; turn < TURNS; turn++) {
      schedule.turn();
      // oxlint-disable-next-line no-await-in-loop
      await nextMacrotask();
    }
    await within(hosted.service.closeWhere({}, 1001), 'the end of all');
    const outcomes = await Promise.all(schedule.broadcasts.map(({ outcome }) => outcome));
    for (const [index, outcome] of outcomes.entries()) {
      expect(outcome.targets).toBe(schedule.broadcasts[index]!.targets);
      expect(outcome.written).toBe(outcome.targets);
      expect(sum(outcome)).toBe(outcome.targets);
    }
    for (const { peer, wanted, connection } of lines) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await connection.closed).toMatchObject({ lost: 0, acknowledged: true });
      expect(peer.messages.all).toEqual(wanted);
    }
  },
);
