import { BenchPeer, textFrame } from './peer.js';
import type { BenchServer } from './bench-server.js';

export interface Workload {
  readonly name: string;
  /** Messages for each second of the server's processor time; more is better. */
  run(server: BenchServer, scale: number): Promise<number>;
}

async function withPeers<T>(
  server: BenchServer,
  count: number,
  use: (peers: BenchPeer[]) => Promise<T>,
): Promise<T> {
  const peers = await Promise.all(
    Array.from({ length: count }, () => BenchPeer.connect(server.port)),
  );
  try {
    return await use(peers);
  } finally {
    for (const peer of peers) peer.end();
  }
}

/** Bytes of an unmasked frame (RFC 6455 §5.2). */
function frameSize(payload: number): number {
  if (payload <= 125) return payload + 2;
  return payload + (payload < 65_536 ? 4 : 10);
}

/** Settles once every peer has received so many bytes more. */
function receive(peers: BenchPeer[], bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let waiting = peers.length;
    for (const peer of peers) {
      const until = peer.received + bytes;
      peer.onData = () => {
        if (peer.received < until) return;
        peer.onData = undefined;
        if (--waiting === 0) resolve();
      };
    }
  });
}

async function rate(
  server: BenchServer,
  messages: number,
  work: () => Promise<void>,
): Promise<number> {
  const before = await server.cpuSeconds();
  await work();
  return messages / ((await server.cpuSeconds()) - before);
}

const ECHO = textFrame('{"event":"echo","data":1}');
const ECHO_REPLY_BYTES = 2 + '{"event":"echo","data":1}'.length;
function echo(inFlight: number, rounds: number): Workload {
  return {
    name: `echo, 50 connections, ${inFlight} in flight`,
    run: (server, scale) =>
      withPeers(server, 50, async (peers) => {
        const turns = Math.ceil(rounds * scale);
        const burst = Buffer.concat(Array.from({ length: inFlight }, () => ECHO));
        const bytes = ECHO_REPLY_BYTES * inFlight;
        const play = (peer: BenchPeer): Promise<void> =>
          new Promise((resolve) => {
            let left = turns;
            let until = peer.received + bytes;
            peer.onData = () => {
              if (peer.received < until) return;
              until += bytes;
              if (--left === 0) resolve();
              else peer.write(burst);
            };
            peer.write(burst);
          });
        return rate(server, 50 * turns * inFlight, async () => {
          await Promise.all(peers.map(play));
        });
      }),
  };
}

interface Push {
  readonly connections?: number;
  readonly perClient: number;
  readonly perTurn?: number;
  readonly bytes?: number;
  readonly fresh?: boolean;
  readonly awaited?: boolean;
}

function push({
  connections = 100,
  perClient,
  perTurn = Number.MAX_SAFE_INTEGER,
  bytes = 64,
  fresh = false,
  awaited = false,
}: Push): Workload {
  const turn = perTurn > perClient ? `${perClient} in one turn` : `${perTurn} a turn`;
  const traits = `${fresh ? ', fresh strings' : ''}${awaited ? ', awaited' : ''}`;
  return {
    name: `push ${bytes} B to ${connections}, ${turn}${traits}`,
    run: (server, scale) =>
      withPeers(server, connections, (peers) => {
        const count = Math.ceil(perClient * scale);
        return rate(server, connections * count, async () => {
          const received = receive(peers, count * frameSize(bytes));
          server.tell({ do: 'push', perClient: count, bytes, perTurn, fresh, awaited });
          await received;
        });
      }),
  };
}

function dispatch(event: string, each: number): Workload {
  return {
    name: `dispatch, ${event}`,
    run: (server, scale) =>
      withPeers(server, 50, async (peers) => {
        const count = Math.ceil(each * scale);
        const frame = textFrame(JSON.stringify({ event }));
        const frames = Buffer.concat(Array.from({ length: count }, () => frame));
        await server.ask({ do: 'expect', messages: 50 * count });
        return rate(server, 50 * count, async () => {
          const done = server.next();
          for (const peer of peers) peer.write(frames);
          await done;
        });
      }),
  };
}

function broadcast(perTurn: number): Workload {
  const bytes = 256;
  const frame = frameSize(JSON.stringify({ event: 'event', data: 'x'.repeat(bytes) }).length);
  return {
    name: `broadcast ${bytes} B to 1,000, ${perTurn} a turn`,
    run: (server, scale) =>
      withPeers(server, 1000, (peers) => {
        const times = Math.ceil(40 * scale);
        return rate(server, 1000 * times, async () => {
          const received = receive(peers, times * frame);
          server.tell({ do: 'broadcast', times, bytes, perTurn });
          await received;
        });
      }),
  };
}

export const WORKLOADS: readonly Workload[] = [
  echo(1, 400),
  echo(32, 60),
  dispatch('sink', 3000),
  dispatch('async sink', 3000),
  dispatch('intercepted sink', 1000),
  push({ perClient: 1000 }),
  push({ connections: 1, perClient: 100_000 }),
  push({ connections: 1, perClient: 100_000, fresh: true }),
  push({ perClient: 100, bytes: 1024 }),
  push({ perClient: 10, bytes: 64 * 1024 }),
  push({ perClient: 640, perTurn: 32 }),
  push({ perClient: 400, perTurn: 4 }),
  push({ perClient: 400, perTurn: 1, awaited: true }),
  broadcast(1),
  broadcast(8),
];
