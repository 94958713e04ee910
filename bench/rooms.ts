/*
 * What rooms cost: bytes of heap for each membership, and the time of a broadcast to one room of
 * them all, against the loop of post() over a Set that everybody writes. The owners are those of
 * the app, on ports in memory that take everything in turn.
 *
 *   npm run bench:rooms                10,000 connections, each in 10 of 1,000 rooms
 */
import { DEFAULT_POLICY } from '../src/runtime/connection.policy.js';
import { Owner } from '../src/runtime/owner.js';
import { createEngine } from '../src/nest/safe-close.engine.js';
import { SafeCloseService } from '../src/nest/safe-close.service.js';
import { LatePort, takeAll } from './null.port.js';

declare const gc: () => void;

const CONNECTIONS = 10_000;
const ROOMS_EACH = 10;
const ROOMS = 1_000;
const WARM_UP = 5;
const ROUNDS = 21;

function heap(): number {
  for (let round = 0; round < 4; round++) gc();
  return process.memoryUsage().heapUsed;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** A name as it comes from a client: a string of its own, each time. */
function nameOf(room: number): string {
  return (JSON.parse(`{"data":"conversation ${room}"}`) as { data: string }).data;
}

const engine = createEngine({});
const service = new SafeCloseService(engine);
const owners = Array.from(
  { length: CONNECTIONS },
  () => new Owner(engine.runtime, new LatePort(), { ...DEFAULT_POLICY, heartbeat: false }),
);

const before = heap();
for (const [index, owner] of owners.entries()) owner.join(nameOf(index % ROOMS));
const first = heap();
for (const [index, owner] of owners.entries()) {
  for (let more = 1; more < ROOMS_EACH; more++) owner.join(nameOf((index + more * 7) % ROOMS));
}
const joined = heap();
const more = CONNECTIONS * (ROOMS_EACH - 1);
const { size } = engine.runtime.rooms;
console.log(`${CONNECTIONS} connections, each in ${ROOMS_EACH} of ${size} rooms: bytes of heap`);
console.log(`  ${((first - before) / CONNECTIONS).toFixed(0)} for the first room of each`);
console.log(`  ${((joined - first) / more).toFixed(0)} for each further membership`);
console.log(`  ${((joined - before) / CONNECTIONS / ROOMS_EACH).toFixed(0)} a membership in all`);

for (const owner of owners) owner.join('all');
const all = new Set(owners);
const data = { text: 'x'.repeat(200) };
const loops: number[] = [];
const broadcasts: number[] = [];
for (let round = -WARM_UP; round < ROUNDS; round++) {
  const start = performance.now();
  for (const owner of all) owner.post('news', data);
  takeAll();
  const middle = performance.now();
  const outcome = service.broadcast({ room: 'all' }, 'news', data);
  takeAll();
  const { written } = await outcome;
  const end = performance.now();
  if (written !== CONNECTIONS) throw new Error('A connection got nothing.');
  if (round < 0) continue;
  loops.push(middle - start);
  broadcasts.push(end - middle);
}
const ratios = loops.map((loop, round) => loop / broadcasts[round]!);
const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
console.log(`a message of 230 B to a room of ${CONNECTIONS}, medians of ${ROUNDS} rounds`);
console.log(`  ${median(loops).toFixed(2)} ms by a loop of post() over a Set`);
console.log(
  `  ${median(broadcasts).toFixed(2)} ms by broadcast(), with an outcome for each: ` +
    `${median(ratios).toFixed(2)} × as fast (${low.toFixed(2)}–${high.toFixed(2)})`,
);
