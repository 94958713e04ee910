import type { BenchServer } from './bench-server.js';
import { allEnded, connectAll, receive } from './workloads.js';

const BROADCASTS = 8;

/** What one of so many costs a server on real sockets, in processor time with its system calls. */
export async function onSockets(
  server: BenchServer,
  count: number,
  lived: number,
): Promise<Record<string, number>> {
  const spent = { connect: 0, send: 0, close: 0 };
  const lives = Math.ceil(lived / count);
  let before = await server.cpuSeconds();
  const lap = async (): Promise<number> => {
    const now = await server.cpuSeconds();
    const seconds = now - before;
    before = now;
    return seconds;
  };
  for (let life = 0; life < lives; life++) {
    await lap();
    const peers = await connectAll(server, count);
    spent.connect += await lap();
    const received = receive(peers, BROADCASTS);
    server.tell({ do: 'broadcast', times: BROADCASTS, bytes: 256, perTurn: 1 });
    await received;
    spent.send += await lap();
    const ended = allEnded(peers);
    server.tell({ do: 'close', code: 1001 });
    await ended;
    spent.close += await lap();
    if (peers.some(({ closeCode }) => closeCode !== 1001))
      throw new Error('A close was not clean.');
  }
  const all = lives * count;
  return {
    'connecting one, µs of CPU': (spent.connect * 1e6) / all,
    'a broadcast to all, µs of CPU a target': (spent.send * 1e6) / all / BROADCASTS,
    'the close of all, µs of CPU each': (spent.close * 1e6) / all,
  };
}
