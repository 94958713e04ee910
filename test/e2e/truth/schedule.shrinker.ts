import type { ConnectionPlan, Schedule, ServerAct } from './schedule.types.js';

/** Real sockets are no machine: a smaller schedule gets so many tries to fail, too. */
const TRIES = 3;
const MAX_RUNS = 150;

/** Cuts a schedule down to less that still fails; `fails` runs it once. */
export async function shrink(
  schedule: Schedule,
  fails: (schedule: Schedule) => Promise<boolean>,
): Promise<Schedule> {
  let runs = 0;
  const stillFails = async (smaller: Schedule): Promise<boolean> => {
    for (let left = TRIES; left > 0 && runs < MAX_RUNS; left--) {
      runs++;
      if (await fails(smaller)) return true;
    }
    return false;
  };
  let smallest = schedule;
  // oxlint-disable-next-line no-unmodified-loop-condition -- `runs` grows with each try.
  for (let shrunk = true; shrunk && runs < MAX_RUNS;) {
    shrunk = false;
    for (const smaller of smallerThan(smallest)) {
      if (!(await stillFails(smaller))) continue;
      smallest = smaller;
      shrunk = true;
      break;
    }
  }
  return smallest;
}

function* smallerThan(schedule: Schedule): Generator<Schedule> {
  for (const connections of without(schedule.connections)) {
    if (connections.length > 0) yield { ...schedule, connections };
  }
  for (const [index, plan] of schedule.connections.entries()) {
    for (const smaller of simpler(plan)) {
      yield { ...schedule, connections: schedule.connections.with(index, smaller) };
    }
  }
}

function* simpler(plan: ConnectionPlan): Generator<ConnectionPlan> {
  for (const parties of without(plan.parties)) yield { ...plan, parties };
  for (const script of without(plan.peer.script)) {
    yield { ...plan, peer: { ...plan.peer, script } };
  }
  for (const [index, party] of plan.parties.entries()) {
    for (const steps of without(party.steps)) {
      yield { ...plan, parties: plan.parties.with(index, { ...party, steps }) };
    }
    for (const [at, { pause, act }] of party.steps.entries()) {
      const once = single(act);
      if (!once) continue;
      const steps = party.steps.with(at, { pause, act: once });
      yield { ...plan, parties: plan.parties.with(index, { ...party, steps }) };
    }
  }
  if (plan.hook.kind !== 'sync') yield { ...plan, hook: { kind: 'sync' } };
  if (plan.leaving !== 'sync') yield { ...plan, leaving: 'sync' };
}

function single(act: ServerAct): ServerAct | undefined {
  return 'count' in act && act.count > 1 ? { ...act, count: 1 } : undefined;
}

function* without<T>(all: readonly T[]): Generator<T[]> {
  for (const index of all.keys()) yield all.toSpliced(index, 1);
}

/** A line for each step, which is JSON that can be run again. */
export function scheduleText({ seed, connections }: Schedule): string {
  const lines = [`seed ${seed}`];
  for (const { parties, peer, ...rest } of connections) {
    const { script, ...kind } = peer;
    lines.push(`connection ${JSON.stringify(rest)}`, `  client ${JSON.stringify(kind)}`);
    for (const step of script) lines.push(`    ${JSON.stringify(step)}`);
    for (const { start, steps } of parties) {
      lines.push(`  party from ${start}`);
      for (const step of steps) lines.push(`    ${JSON.stringify(step)}`);
    }
  }
  return lines.join('\n');
}
