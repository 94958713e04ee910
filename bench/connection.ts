/*
 * What one connection costs in itself: bytes of heap where it is idle, and nanoseconds of a send and
 * of a message that starts a handler. On ports in memory that take everything at once, so that the
 * owner is all that is measured. The second row of each has what it is asked for: a limit of
 * messages a second, serial handlers, ten rooms, messages kept until they are acknowledged.
 *
 *   npm run bench:connection
 *   npm run bench:connection -- --json     one line, to compare two versions
 */
import { LifecycleHub } from '../src/runtime/lifecycle.hub.js';
import { DEFAULT_POLICY, type ConnectionPolicyValues } from '../src/runtime/connection.policy.js';
import { Owner } from '../src/runtime/owner.js';
import { createRuntime } from '../src/runtime/runtime.js';
import { NullPort } from './null.port.js';

declare const gc: () => void;

const IDLE = 10_000;
const MESSAGES = 200_000;
const ROUNDS = 9;
const PAYLOAD = 'x'.repeat(64);
const FRAME = Buffer.from(PAYLOAD);

let ids = 0;
const runtime = createRuntime({ observer: new LifecycleHub(), nextId: () => String(++ids) });
const QUIET: ConnectionPolicyValues = { ...DEFAULT_POLICY, heartbeat: false };

function connect(policy: ConnectionPolicyValues): { owner: Owner; port: NullPort } {
  const port = new NullPort();
  return { owner: new Owner(runtime, port, policy), port };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function heap(): number {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

/** Bytes of each, ports included. */
function idle(prepare: (owner: Owner, index: number) => void = () => {}): number {
  const before = heap();
  const owners = Array.from({ length: IDLE }, (_, index) => {
    const { owner } = connect(DEFAULT_POLICY);
    prepare(owner, index);
    return owner;
  });
  const bytes = (heap() - before) / owners.length;
  for (const owner of owners) {
    owner.requestTerminate();
    owner.onClosed();
  }
  return bytes;
}

/** Nanoseconds of each, in the median round. */
function timed(once: () => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.hrtime.bigint();
    for (let message = 0; message < MESSAGES; message++) once();
    rounds.push(Number(process.hrtime.bigint() - before) / MESSAGES);
  }
  return median(rounds);
}

const plain = connect(QUIET).owner;
plain.dispatchTo({ dispatch: () => plain.calls.run(() => undefined, undefined, 'event') });

const figures: Record<string, number> = {
  'idle connection, bytes of heap': idle(),
  'send, ns': timed(() => void plain.submit(PAYLOAD)),
  'send with an outcome, ns': timed(() => void plain.submit(PAYLOAD, undefined, () => {})),
  'message that starts a handler, ns': timed(() => plain.onMessage(FRAME, false)),
};

if ('join' in plain) {
  const rooms = Array.from({ length: 100 }, (_, index) => `room ${index}`);
  figures['idle connection in ten rooms, bytes of heap'] = idle((owner, index) => {
    for (let room = 0; room < 10; room++) owner.join(rooms[(index + room) % rooms.length]!);
  });
  const kept = connect({ ...QUIET, send: { ...QUIET.send, onUnacknowledged: () => {} } });
  let sent = 0;
  figures['send kept until it is acknowledged, ns'] = timed(() => {
    kept.owner.submit(PAYLOAD);
    if (++sent % 64 === 0) kept.owner.onPong(kept.port.lastPing!);
  });
  const serial = connect(QUIET).owner;
  figures['message that starts a serial handler, ns'] = timed(() => {
    serial.takeTurn({ order: 'serial' }, 64, (call) => {
      serial.calls.run(() => undefined, undefined, 'event', call);
    });
  });
}

if (process.argv.includes('--json')) console.log(JSON.stringify(figures));
else
  for (const [name, value] of Object.entries(figures))
    console.log(`${name.padEnd(48)}${value.toFixed(0)}`);
