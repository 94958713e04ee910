/*
 * What the heartbeat costs: the processor time of one whole interval over many connections, as a
 * part of one core, and the longest time for which one tick holds the event loop. The clock is
 * stepped, so that 25 s take a moment; the connections are in memory, as no machine here has so
 * many ports. What the pings themselves cost, which is I/O, stands beside it: the same with a
 * ping frame made and kept for each. Then the worst that can come together: all connect in the same
 * instant, and all fall silent.
 *
 *   npm run bench:heartbeat                        50,000 connections
 *   npm run bench:heartbeat -- 200000
 */
import { cpuUsage } from 'node:process';
import { DEFAULT_POLICY, type HeartbeatPolicy } from '../src/runtime/connection.policy.js';
import { Heartbeat } from '../src/runtime/heartbeat.js';
import { ReadMarks } from '../src/runtime/read-marks.js';
import { median } from './figures.js';
import { HASTY, longestOf, PILE_UPS } from './heartbeat.pile-up.js';
import { LivePeer } from './live.peer.js';
import { SteppedClock } from './stepped.clock.js';

const ROUNDS = 7;
const connections = Number(process.argv[2] ?? 50_000);
const policy = DEFAULT_POLICY.heartbeat as HeartbeatPolicy;

/** As a live peer, with the frame of each ping made, and its pong read. */
class FramedPeer extends LivePeer {
  readonly #marks = new ReadMarks();

  override beat(): void {
    super.beat();
    this.#marks.read(this.#marks.place(0));
  }
}

async function measure(Peer: new () => LivePeer): Promise<{ share: number; longest: number }> {
  const clock = new SteppedClock();
  const heartbeat = new Heartbeat(clock, Math.random);
  const peers = Array.from({ length: connections }, () => new Peer());
  for (const peer of peers) heartbeat.add(peer, policy);
  await clock.run(2 * policy.interval);
  const shares: number[] = [];
  const slices: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpuUsage();
    const ticks = await clock.run(policy.interval);
    const { user, system } = cpuUsage(before);
    slices.push(Math.max(...ticks.map(({ ms }) => ms)));
    shares.push((user + system) / 1_000 / policy.interval);
  }
  if (peers.some(({ pings }) => pings < ROUNDS)) throw new Error('A connection was forgotten.');
  return { share: median(shares), longest: median(slices) };
}

for (const [name, Peer] of [
  ['the sweep itself', LivePeer],
  ['with a ping and pong in memory', FramedPeer],
] as const) {
  const { share, longest } = await measure(Peer);
  console.log(
    `${connections} connections, each pinged every ${policy.interval} ms, ${name}: ` +
      `${(share * 100).toFixed(3)} % of a core, the longest tick ${longest.toFixed(2)} ms ` +
      `(medians of ${ROUNDS} intervals)`,
  );
}

console.log(
  `${connections} connections of one instant, each pinged every ${HASTY.interval} ms and given up ` +
    `${HASTY.timeout} ms later: the longest tick without the pauses of the garbage collector, ` +
    `and with them (medians of ${ROUNDS})`,
);
for (const pileUp of PILE_UPS) {
  const { name, longest, paused } = await longestOf(pileUp, connections, ROUNDS);
  console.log(`  ${longest.toFixed(2)} ms, ${paused.toFixed(2)} ms: ${name}`);
}
