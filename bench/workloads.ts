import { BenchPeer, eventFrame } from './peer.js';
import type { BenchServer } from './bench-server.js';
import type { Measurement } from './figures.js';
import type { Stack } from './server.js';

export interface Workload {
  readonly name: string;
  /** It needs a server that has done nothing before. */
  readonly fresh?: boolean;
  /** Stacks that have no such thing. */
  readonly without?: readonly Stack[];
  run(server: BenchServer, scale: number): Promise<Measurement[]>;
}

const PER_CPU = 'messages a second of server CPU';

interface Connecting {
  readonly deflate?: boolean;
  /** At once; more than this the backlog of a listener does not take. */
  readonly atOnce?: number;
}

export async function connectAll(
  server: BenchServer,
  count: number,
  { deflate = false, atOnce = 100 }: Connecting = {},
): Promise<BenchPeer[]> {
  const { port, protocol } = server;
  const peers: BenchPeer[] = [];
  while (peers.length < count) {
    const next = Array.from({ length: Math.min(atOnce, count - peers.length) }, () =>
      BenchPeer.connect(port, { protocol, deflate }),
    );
    // oxlint-disable-next-line no-await-in-loop
    peers.push(...(await Promise.all(next)));
  }
  return peers;
}

async function withPeers<T>(
  server: BenchServer,
  count: number,
  use: (peers: BenchPeer[]) => Promise<T>,
  connecting?: Connecting,
): Promise<T> {
  const peers = await connectAll(server, count, connecting);
  try {
    return await use(peers);
  } finally {
    for (const peer of peers) peer.end();
  }
}

/** Settles once every peer has received so many messages more. */
export function receive(peers: BenchPeer[], messages: number): Promise<void> {
  return new Promise((resolve) => {
    let waiting = peers.length;
    for (const peer of peers) {
      const until = peer.received + messages;
      peer.onData = () => {
        if (peer.received < until) return;
        peer.onData = undefined;
        if (--waiting === 0) resolve();
      };
    }
  });
}

/** Settles once all have ended. */
export async function allEnded(peers: BenchPeer[]): Promise<void> {
  await Promise.all(peers.map((peer) => new Promise<void>((resolve) => (peer.onEnd = resolve))));
}

/** Messages for each second of the server's processor time; more is better. */
async function rate(
  name: string,
  server: BenchServer,
  messages: number,
  work: () => Promise<void>,
): Promise<Measurement[]> {
  const before = await server.cpuSeconds();
  await work();
  const value = messages / ((await server.cpuSeconds()) - before);
  return [{ name, value, unit: PER_CPU }];
}

function echo(inFlight: number, rounds: number, deflate = false): Workload {
  const name = `echo, 50 connections, ${inFlight} in flight${deflate ? ', deflate' : ''}`;
  const data = deflate ? 'x'.repeat(256) : 1;
  return {
    name,
    run: (server, scale) =>
      withPeers(
        server,
        50,
        async (peers) => {
          const turns = Math.ceil(rounds * scale);
          const one = eventFrame(server.protocol, 'echo', data, deflate);
          const burst = Buffer.concat(Array.from({ length: inFlight }, () => one));
          const play = (peer: BenchPeer): Promise<void> =>
            new Promise((resolve) => {
              let left = turns;
              let until = peer.received + inFlight;
              peer.onData = () => {
                if (peer.received < until) return;
                until += inFlight;
                if (--left === 0) resolve();
                else peer.write(burst);
              };
              peer.write(burst);
            });
          return rate(name, server, 50 * turns * inFlight, async () => {
            await Promise.all(peers.map(play));
          });
        },
        { deflate },
      ),
  };
}

interface Push {
  readonly connections?: number;
  readonly perClient: number;
  readonly perTurn?: number;
  readonly bytes?: number;
  readonly fresh?: boolean;
  readonly binary?: boolean;
  readonly awaited?: boolean;
  readonly deflate?: boolean;
  /** That often in a row, where once is too little to measure. */
  readonly bursts?: number;
}

function push({
  connections = 100,
  perClient,
  perTurn = Number.MAX_SAFE_INTEGER,
  bytes = 64,
  fresh = false,
  binary = false,
  awaited = false,
  deflate = false,
  bursts = 1,
}: Push): Workload {
  const turn = perTurn > perClient ? `${perClient} in one turn` : `${perTurn} a turn`;
  const traits = [
    fresh && ', fresh strings',
    binary && ', binary',
    awaited && ', awaited',
    deflate && ', deflate',
  ];
  const name = `push ${bytes} B to ${connections}, ${turn}${traits.filter(Boolean).join('')}`;
  return {
    name,
    // Its binary messages are two frames each.
    ...(binary && { without: ['socket.io'] }),
    run: (server, scale) =>
      withPeers(
        server,
        connections,
        (peers) => {
          const count = Math.ceil(perClient * scale);
          return rate(name, server, bursts * connections * count, async () => {
            for (let burst = 0; burst < bursts; burst++) {
              const received = receive(peers, count);
              server.tell({ do: 'push', perClient: count, bytes, perTurn, fresh, binary, awaited });
              // oxlint-disable-next-line no-await-in-loop
              await received;
            }
          });
        },
        { deflate },
      ),
  };
}

/** From the beginning of a burst until its first byte has come to anybody. */
function firstByte(): Workload {
  return {
    name: 'first byte',
    run: (server) =>
      withPeers(server, 100, async (peers) => {
        let first = 0;
        const began = server.next<number>('began');
        const all = receive(peers, 1000);
        for (const peer of peers) {
          const { onData } = peer;
          peer.onData = () => {
            first ||= Number(process.hrtime.bigint()) / 1e6;
            onData!();
          };
        }
        const options = { bytes: 64, fresh: false, binary: false, awaited: false };
        server.tell({ do: 'push', perClient: 1000, perTurn: 1000, ...options });
        await all;
        const value = first - (await began);
        return [{ name: 'first byte of a burst, 100 × 1,000', value, unit: 'ms', less: true }];
      }),
  };
}

/** Floods in a row, without a pause in which the garbage of one could be collected unseen. */
const FLOODS = 4;

function dispatch(event: string, bytes = 0): Workload {
  const name = `dispatch, ${event}${bytes > 0 ? `, ${bytes} B` : ''}`;
  const each = 500;
  return {
    name,
    run: (server, scale) =>
      withPeers(server, 50, async (peers) => {
        const count = Math.ceil(each * scale);
        const frame = eventFrame(server.protocol, event, bytes > 0 ? 'x'.repeat(bytes) : undefined);
        const frames = Buffer.concat(Array.from({ length: count }, () => frame));
        return rate(name, server, FLOODS * 50 * count, async () => {
          for (let flood = 0; flood < FLOODS; flood++) {
            // oxlint-disable-next-line no-await-in-loop
            await server.ask({ do: 'expect', messages: 50 * count }, 'ready');
            const done = server.next('done');
            for (const peer of peers) peer.write(frames);
            // oxlint-disable-next-line no-await-in-loop
            await done;
          }
        });
      }),
  };
}

interface Broadcast {
  readonly perTurn: number;
  readonly connections?: number;
  readonly times?: number;
  readonly deflate?: boolean;
  /** The loop of ws makes the JSON text for each client. */
  readonly textForEach?: boolean;
}

function broadcast({
  perTurn,
  connections = 1000,
  times = 120,
  deflate = false,
  textForEach = false,
}: Broadcast): Workload {
  const bytes = 256;
  const to = connections.toLocaleString('en');
  const traits = [deflate && ', deflate', textForEach && ', text for each'];
  const name = `broadcast ${bytes} B to ${to}, ${perTurn} a turn${traits.filter(Boolean).join('')}`;
  return {
    name,
    // It has no such loop.
    ...(textForEach && { without: ['socket.io'] }),
    run: (server, scale) =>
      withPeers(
        server,
        Math.ceil(connections * Math.min(1, scale * 10)),
        (peers) => {
          const count = Math.ceil(times * scale);
          return rate(name, server, peers.length * count, async () => {
            const received = receive(peers, count);
            server.tell({ do: 'broadcast', times: count, bytes, perTurn, textForEach });
            await received;
          });
        },
        { deflate },
      ),
  };
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** About half of what the stock adapter takes on one core, whatever the machine waits for. */
const ECHOES_PER_MS = 20;

/** Echoes at a pace that does not wait for the answers; how long those take. */
function latency(): Workload {
  const at = `latency at ${ECHOES_PER_MS},000 echoes a second`;
  return {
    name: at,
    run: (server, scale) =>
      withPeers(server, 50, async (peers) => {
        const frame = eventFrame(server.protocol, 'echo', 1);
        const total = Math.ceil(40_000 * scale);
        const took: number[] = [];
        const sent = peers.map((): number[] => []);
        const done = new Promise<void>((resolve) => {
          for (const [index, peer] of peers.entries()) {
            let seen = peer.received;
            peer.onData = () => {
              const now = performance.now();
              for (; seen < peer.received; seen++) took.push(now - sent[index]!.shift()!);
              if (took.length === total) resolve();
            };
          }
        });
        const began = performance.now();
        let written = 0;
        const pace = setInterval(() => {
          const due = Math.min(total, (performance.now() - began) * ECHOES_PER_MS);
          for (; written < due; written++) {
            const index = written % peers.length;
            sent[index]!.push(performance.now());
            peers[index]!.write(frame);
          }
        }, 1);
        await done;
        clearInterval(pace);
        const sorted = took.toSorted((a, b) => a - b);
        return [0.5, 0.99, 0.999].map((share) => ({
          name: `${at}, p${share * 100}`,
          value: percentile(sorted, share),
          unit: 'ms',
          less: true,
        }));
      }),
  };
}

/**
 * Closes all with 1001: how long that took, what of it the server worked, whatever else the machine
 * did, and how many saw it.
 */
async function storm(
  server: BenchServer,
  peers: BenchPeer[],
): Promise<{ ms: number; cpuMs: number; clean: number }> {
  const cpu = await server.cpuSeconds();
  const began = performance.now();
  const ended = allEnded(peers);
  server.tell({ do: 'close', code: 1001 });
  await ended;
  const ms = performance.now() - began;
  const cpuMs = ((await server.cpuSeconds()) - cpu) * 1000;
  return { ms, cpuMs, clean: peers.filter(({ closeCode }) => closeCode === 1001).length };
}

/**
 * A server from its start to the end of its connections, twice: one that is drained has closed
 * thousands before, and the code that closes the first ones is not compiled yet.
 */
function life(connections: number): Workload {
  const many = connections.toLocaleString('en');
  return {
    name: `life of ${many} connections`,
    fresh: true,
    // Its close() sends no close frame of WebSocket.
    without: ['socket.io'],
    run: async (server, scale) => {
      const count = Math.ceil(connections * scale);
      const warm = await connectAll(server, Math.ceil(200 * scale));
      for (const peer of warm) peer.end();
      const empty = await server.ask<NodeJS.MemoryUsage>({ do: 'memory' }, 'memory');
      const before = await server.cpuSeconds();
      const peers = await connectAll(server, count);
      const cpu = (await server.cpuSeconds()) - before;
      const full = await server.ask<NodeJS.MemoryUsage>({ do: 'memory' }, 'memory');
      const first = await storm(server, peers);
      const second = await storm(server, await connectAll(server, count));
      const bytes = (key: 'rss' | 'heapUsed'): number => (full[key] - empty[key]) / count;
      return [
        { name: 'start-up', value: server.startUpMs, unit: 'ms', less: true },
        { name: 'connections', value: count / cpu, unit: 'a second of server CPU' },
        { name: `memory of one of ${many}, RSS`, value: bytes('rss'), unit: 'B', less: true },
        { name: `memory of one of ${many}, heap`, value: bytes('heapUsed'), unit: 'B', less: true },
        { name: `first close storm of ${many}`, value: first.ms, unit: 'ms', less: true },
        { name: `first close storm of ${many}, CPU`, value: first.cpuMs, unit: 'ms', less: true },
        { name: `close storm of ${many}`, value: second.ms, unit: 'ms', less: true },
        { name: `close storm of ${many}, CPU`, value: second.cpuMs, unit: 'ms', less: true },
        { name: `close storm of ${many}, clean`, value: (100 * second.clean) / count, unit: '%' },
      ];
    },
  };
}

export const WORKLOADS: readonly Workload[] = [
  echo(1, 400),
  echo(32, 60),
  echo(32, 10, true),
  latency(),
  dispatch('sink'),
  dispatch('async sink'),
  dispatch('observable sink'),
  dispatch('guarded sink'),
  dispatch('piped sink'),
  dispatch('intercepted sink'),
  dispatch('sink', 1024),
  push({ perClient: 1000 }),
  push({ connections: 1, perClient: 100_000 }),
  push({ connections: 1, perClient: 100_000, fresh: true }),
  push({ perClient: 1000, binary: true }),
  push({ perClient: 100, bytes: 1024 }),
  push({ perClient: 10, bytes: 64 * 1024, bursts: 8 }),
  push({ perClient: 10, bytes: 64 * 1024, bursts: 8, fresh: true }),
  push({ perClient: 640, perTurn: 32 }),
  push({ perClient: 400, perTurn: 4 }),
  push({ perClient: 400, perTurn: 1, awaited: true }),
  push({ perClient: 100, bytes: 1024, deflate: true }),
  push({ perClient: 50, bytes: 4096, deflate: true }),
  firstByte(),
  broadcast({ perTurn: 1, connections: 100, times: 400 }),
  broadcast({ perTurn: 1 }),
  broadcast({ perTurn: 1, textForEach: true }),
  broadcast({ perTurn: 1, connections: 10_000, times: 12 }),
  // 60 turns: of 15, the first round was a third slower than the last, as it ran before it was compiled.
  broadcast({ perTurn: 8, times: 480 }),
  broadcast({ perTurn: 1, deflate: true }),
  broadcast({ perTurn: 8, deflate: true }),
  life(10_000),
];
