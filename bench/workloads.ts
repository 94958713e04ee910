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
const SINK = textFrame('{"event":"sink"}');

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

function push(perTurn: number, perClient: number): Workload {
  const bytes = 64;
  const name = perTurn >= perClient ? 'in one turn' : `${perTurn} a turn`;
  return {
    name: `push, 100 connections, 64 B, ${name}`,
    run: (server, scale) =>
      withPeers(server, 100, (peers) => {
        const count = Math.ceil(perClient * scale);
        return rate(server, 100 * count, async () => {
          const received = receive(peers, count * (bytes + 2));
          server.tell({ do: 'push', perClient: count, bytes, perTurn });
          await received;
        });
      }),
  };
}

export const WORKLOADS: readonly Workload[] = [
  echo(1, 400),
  echo(32, 60),
  {
    name: 'dispatch, handler returns nothing',
    run: (server, scale) =>
      withPeers(server, 50, async (peers) => {
        const each = Math.ceil(3000 * scale);
        const frames = Buffer.concat(Array.from({ length: each }, () => SINK));
        await server.ask({ do: 'expect', messages: 50 * each });
        return rate(server, 50 * each, async () => {
          const done = server.next();
          for (const peer of peers) peer.write(frames);
          await done;
        });
      }),
  },
  push(1000, 1000),
  push(4, 400),
  push(1, 400),
  {
    name: 'broadcast loop, 256 B to 1,000 connections',
    run: (server, scale) =>
      withPeers(server, 1000, (peers) => {
        const times = Math.ceil(40 * scale);
        return rate(server, 1000 * times, async () => {
          const received = receive(peers, times * (256 + 4));
          server.tell({ do: 'broadcast', times, bytes: 256 });
          await received;
        });
      }),
  },
];
