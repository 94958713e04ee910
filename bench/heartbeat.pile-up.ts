import { PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { setImmediate as macrotask } from 'node:timers/promises';
import { systemClock } from '../src/runtime/clock.js';
import { DEFAULT_POLICY, type HeartbeatPolicy } from '../src/runtime/connection.policy.js';
import { Heartbeat } from '../src/runtime/heartbeat.js';
import { LifecycleHub } from '../src/runtime/lifecycle.hub.js';
import { Owner } from '../src/runtime/owner.js';
import { createRuntime } from '../src/runtime/runtime.js';
import { median } from './figures.js';
import { LivePeer } from './live.peer.js';
import { NullPort } from './null.port.js';
import { SteppedClock, type Tick } from './stepped.clock.js';

/** One that no app should choose: all of the sweep's work within a second. */
export const HASTY: HeartbeatPolicy = { interval: 1_000, timeout: 1_000 };
/** A sweep that is later than a quarter of the timeout waits; less than that it makes up for. */
const BLOCKED_MS = 0.24 * HASTY.timeout;
/** By then some are given up in each tick. */
const GIVING_UP_MS = HASTY.timeout + HASTY.interval / 2;
/** Rounds in which V8 compiles: what ends a connection is cold until then. */
const WARM_UP = 3;
/** By then all have been. */
const GIVEN_UP_MS = 3 * (HASTY.timeout + HASTY.interval);

interface PileUp {
  readonly name: string;
  /** The ticks of so many that connect in the same instant. */
  readonly run: (connections: number) => Promise<Tick[]>;
}

/** A peer that never answers. */
class SilentPeer extends LivePeer {
  override live = true;

  override beat(): void {
    this.pings++;
  }

  override onSilence(): void {
    this.live = false;
  }
}

async function whileAlive(connections: number): Promise<Tick[]> {
  const clock = new SteppedClock();
  const heartbeat = new Heartbeat(clock, Math.random);
  for (let left = connections; left > 0; left--) heartbeat.add(new LivePeer(), HASTY);
  return clock.run(2 * HASTY.interval);
}

/** Given up by the sweep alone, in a world that is told nothing. */
async function givenUp(connections: number): Promise<Tick[]> {
  const clock = new SteppedClock();
  const heartbeat = new Heartbeat(clock, Math.random);
  for (let left = connections; left > 0; left--) heartbeat.add(new SilentPeer(), HASTY);
  const ticks = await clock.run(GIVEN_UP_MS);
  if (heartbeat.size > 0) throw new Error('A silent peer was not given up.');
  return ticks;
}

/** Given up by their owners, whose sockets are gone before anything else is read. */
async function ended(connections: number, blockedMs: number): Promise<Tick[]> {
  const clock = new SteppedClock();
  const parts = createRuntime({
    observer: new LifecycleHub(),
    nextId: () => String(++ids),
    // The timers of a close are those of Node; only the sweep's is stepped.
    clock: { ...systemClock, now: () => clock.now(), monotonic: () => clock.monotonic() },
  });
  const runtime = { ...parts, heartbeat: new Heartbeat(clock, Math.random) };
  const destroyed: Owner[] = [];
  for (let left = connections; left > 0; left--) {
    const port = new DestroyedPort(() => destroyed.push(owner));
    const owner = new Owner(runtime, port, { ...DEFAULT_POLICY, heartbeat: HASTY });
  }
  const follow = (): void => {
    for (const owner of destroyed.splice(0)) owner.onClosed();
  };
  const before = await clock.run(GIVING_UP_MS, follow);
  clock.block(blockedMs);
  const after = await clock.run(GIVEN_UP_MS, follow);
  if (runtime.connections.size > 0) throw new Error('A silent peer was not given up.');
  return [...before, ...after];
}

let ids = 0;

class DestroyedPort extends NullPort {
  constructor(private readonly onDestroyed: () => void) {
    super();
  }

  override destroy(): void {
    this.onDestroyed();
  }
}

export const PILE_UPS: readonly PileUp[] = [
  { name: 'all alive', run: whileAlive },
  { name: 'all silent, the sweep alone', run: givenUp },
  { name: 'all silent, and their connections ended', run: (count) => ended(count, 0) },
  {
    name: `the same, after the process was busy for ${BLOCKED_MS} ms`,
    run: (count) => ended(count, BLOCKED_MS),
  },
];

interface Longest {
  readonly name: string;
  /** In ms, without the pauses of the garbage collector within it. */
  readonly longest: number;
  /** With them. */
  readonly paused: number;
}

/** Medians of the rounds. */
export async function longestOf(
  { name, run }: PileUp,
  connections: number,
  rounds: number,
): Promise<Longest> {
  let pauses: PerformanceEntry[] = [];
  const observer = new PerformanceObserver((list) => pauses.push(...list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const longest: number[] = [];
  const paused: number[] = [];
  for (let round = -WARM_UP; round < rounds; round++) {
    const ticks = await run(connections);
    // Pauses are told in a turn of their own.
    await macrotask();
    await macrotask();
    if (round >= 0) {
      longest.push(Math.max(...ticks.map((tick) => workOf(tick, pauses))));
      paused.push(Math.max(...ticks.map(({ ms }) => ms)));
    }
    pauses = [];
  }
  observer.disconnect();
  return { name, longest: median(longest), paused: median(paused) };
}

/** The clock counts others on this machine, and the processor time what helps the collector. */
function workOf({ began, ms, cpuMs }: Tick, pauses: readonly PerformanceEntry[]): number {
  return pauses
    .filter(({ startTime }) => startTime >= began && startTime < began + ms)
    .reduce((left, { duration }) => left - duration, Math.min(ms, cpuMs));
}
