/*
 * What the heartbeat costs: the processor time of one whole interval over many connections, as a
 * part of one core, and the longest time for which one tick holds the event loop. The clock is
 * stepped, so that 25 s take a moment; the connections are in memory, as no machine here has so
 * many ports. What the pings themselves cost, which is I/O, stands beside it: the same with a
 * ping frame made and kept for each.
 *
 *   npm run bench:heartbeat                        50,000 connections
 *   npm run bench:heartbeat -- 200000
 */
import { cpuUsage } from 'node:process';
import type { Clock, Timer } from '../src/runtime/clock.js';
import { DEFAULT_POLICY, type HeartbeatPolicy } from '../src/runtime/connection.policy.js';
import { Heartbeat, type Pulse } from '../src/runtime/heartbeat.js';
import { ReadMarks } from '../src/runtime/read-marks.js';

const ROUNDS = 7;
const connections = Number(process.argv[2] ?? 50_000);
const policy = DEFAULT_POLICY.heartbeat as HeartbeatPolicy;

/** Time that is stepped from one timer to the next; there is one at a time. */
class SteppedClock implements Clock {
  #elapsed = 0;
  #next: { readonly at: number; readonly callback: () => void } | undefined;

  now(): number {
    return this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimer(ms: number, callback: () => void): Timer {
    this.#next = { at: this.#elapsed + ms, callback };
    return { cancel: () => (this.#next = undefined) };
  }

  afterMicrotasks(callback: () => void): void {
    callback();
  }

  afterMacrotask(callback: () => void): void {
    callback();
  }

  /** Steps until `ms` have passed; returns how long the longest step held the loop, in ms. */
  run(ms: number): number {
    const until = this.#elapsed + ms;
    let longest = 0;
    while (this.#next && this.#next.at <= until) {
      const { at, callback } = this.#next;
      this.#elapsed = at;
      this.#next = undefined;
      const before = performance.now();
      callback();
      longest = Math.max(longest, performance.now() - before);
    }
    return longest;
  }
}

/** A peer that answers each ping before the next visit. */
class LivePeer implements Pulse {
  visit: number | undefined;
  readonly live = true;
  readonly listening = true;
  readonly bufferedAmount = 0;
  lastSeenAt = 0;
  pings = 0;

  progressMark(): number {
    return 0;
  }

  beat(): void {
    this.pings++;
    this.lastSeenAt++;
  }

  onSilence(): void {
    throw new Error('A live peer was given up.');
  }
}

/** The same, with the frame of each ping made, and its pong read. */
class FramedPeer extends LivePeer {
  readonly #marks = new ReadMarks();

  override beat(): void {
    super.beat();
    this.#marks.read(this.#marks.place(0));
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function measure(Peer: new () => LivePeer): { share: number; longest: number } {
  const clock = new SteppedClock();
  const heartbeat = new Heartbeat(clock, Math.random);
  const peers = Array.from({ length: connections }, () => new Peer());
  for (const peer of peers) heartbeat.add(peer, policy);
  clock.run(2 * policy.interval);
  const shares: number[] = [];
  const slices: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpuUsage();
    slices.push(clock.run(policy.interval));
    const { user, system } = cpuUsage(before);
    shares.push((user + system) / 1_000 / policy.interval);
  }
  if (peers.some(({ pings }) => pings < ROUNDS)) throw new Error('A connection was forgotten.');
  return { share: median(shares), longest: median(slices) };
}

for (const [name, Peer] of [
  ['the sweep itself', LivePeer],
  ['with a ping and pong in memory', FramedPeer],
] as const) {
  const { share, longest } = measure(Peer);
  console.log(
    `${connections} connections, each pinged every ${policy.interval} ms, ${name}: ` +
      `${(share * 100).toFixed(3)} % of a core, the longest tick ${longest.toFixed(2)} ms ` +
      `(medians of ${ROUNDS} intervals)`,
  );
}
