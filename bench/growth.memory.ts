import { setImmediate as macrotask } from 'node:timers/promises';
import { broadcast } from '../src/runtime/broadcast.js';
import { DEFAULT_POLICY } from '../src/runtime/connection.policy.js';
import { LifecycleHub } from '../src/runtime/lifecycle.hub.js';
import { Owner } from '../src/runtime/owner.js';
import { createRuntime } from '../src/runtime/runtime.js';
import { LatePort, takeAll } from './null.port.js';

declare const gc: () => void;

/** For each connection that lives. */
const BROADCASTS = 10;
const FRAME = 'x'.repeat(256);
const GOING_AWAY = { code: 1001, reason: '' };

/** Knows whether our close frame was written, which the peer then answers. */
class PeerPort extends LatePort {
  closing = false;

  override close(): void {
    this.closing = true;
  }
}

interface Peer {
  readonly port: PeerPort;
  readonly owner: Owner;
}

let ids = 0;
const runtime = createRuntime({ observer: new LifecycleHub(), nextId: () => String(++ids) });

/** Opened as the adapter does it, with a hook that settles in the same turn. */
function connect(): Peer {
  const port = new PeerPort();
  const owner = new Owner(runtime, port, DEFAULT_POLICY);
  owner.awaitReadiness();
  owner.sealReadiness();
  return { port, owner };
}

function connectAll(count: number): Peer[] {
  return Array.from({ length: count }, connect);
}

function heap(): number {
  for (let round = 0; round < 4; round++) gc();
  return process.memoryUsage().heapUsed;
}

async function broadcastTo(owners: readonly Owner[]): Promise<void> {
  const outcome = broadcast(owners, FRAME);
  takeAll();
  const { written } = await outcome;
  if (written !== owners.length) throw new Error('A connection got nothing.');
}

/** All close frames are written in one turn of the loop, and answered in the next. */
async function closeAll(peers: readonly Peer[]): Promise<void> {
  for (const { owner } of peers) owner.requestClose(GOING_AWAY.code);
  await macrotask();
  for (const { port, owner } of peers) {
    if (!port.closing) throw new Error('A close frame was not written.');
    owner.onPong(port.lastPing!);
    owner.onPeerClose(GOING_AWAY);
    owner.onClosed();
  }
  // Their ends are reported in microtasks that are due before this one.
  await Promise.resolve();
  if (runtime.connections.size > 0) throw new Error('A connection has not ended.');
}

/** V8's own buffers weigh as much as hundreds of connections. */
const ENOUGH_TO_WEIGH = 1_000;

/** By what their end frees: what making them takes has more of V8's own in it. */
async function heapOf(count: number): Promise<number> {
  if (count < ENOUGH_TO_WEIGH) return Number.NaN;
  const peers = connectAll(count);
  const full = heap();
  await closeAll(peers);
  peers.length = 0;
  await macrotask();
  return (full - heap()) / count;
}

/** Milliseconds of making and of closing so many, again and again until it comes to `lived`. */
async function lives(count: number, lived: number): Promise<{ make: number; close: number }> {
  const spent = { make: 0, close: 0 };
  for (let left = lived; left > 0; left -= count) {
    const start = performance.now();
    const peers = connectAll(count);
    const made = performance.now();
    await closeAll(peers);
    spent.close += performance.now() - made;
    spent.make += made - start;
  }
  return spent;
}

/** Milliseconds of so many broadcasts to connections that are no longer young to V8. */
async function broadcasts(count: number, times: number): Promise<number> {
  const peers = connectAll(count);
  const owners = peers.map(({ owner }) => owner);
  // What the first message makes is there from then on.
  await broadcastTo(owners);
  heap();
  const start = performance.now();
  for (let time = 0; time < times; time++) await broadcastTo(owners);
  const spent = performance.now() - start;
  await closeAll(peers);
  return spent;
}

/** What one of so many costs, on ports in memory: the owner is all that is measured. */
export async function inMemory(count: number, lived: number): Promise<Record<string, number>> {
  const bytes = await heapOf(count);
  gc();
  const { make, close } = await lives(count, lived);
  const all = Math.ceil(lived / count) * count;
  const times = Math.ceil((lived * BROADCASTS) / count);
  return {
    'making one, µs': (make * 1e3) / all,
    'a broadcast to all, ns a target': ((await broadcasts(count, times)) * 1e6) / times / count,
    'the close of all, µs each': (close * 1e3) / all,
    'heap of one, bytes': bytes,
  };
}
