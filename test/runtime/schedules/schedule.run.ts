import fc from 'fast-check';
import { inspect } from 'node:util';
import { schedules } from './schedule.arbitrary.js';
import { momentaryViolations, violations } from './schedule.checks.js';
import type { Schedule } from './schedule.types.js';
import { microtasks, World } from './schedule.world.js';

/** Runs one schedule to its end; returns what of the guarantees it broke. */
export async function run(schedule: Schedule): Promise<string[]> {
  try {
    return violations(await ended(schedule));
  } catch (error) {
    return [`G6 ${inspect(error)}`];
  }
}

async function ended({ setting, commands }: Schedule): Promise<World> {
  const world = new World(setting);
  for (const command of commands) {
    world.perform(command);
    // oxlint-disable-next-line no-await-in-loop
    await microtasks();
    world.faults.push(...momentaryViolations(world));
  }
  if (world.mayFinishWell) {
    world.reform();
    await microtasks();
    // Handlers that have gone on may have closed.
    if (world.mayFinishWell) await world.finishWell();
  }
  world.finish();
  await microtasks();
  world.connected.turn();
  await microtasks();
  return world;
}

export interface SearchOptions {
  readonly runs: number;
  readonly seed: number;
}

/** Runs random schedules; returns the first that breaks a guarantee, made small, as text. */
export async function search({ runs, seed }: SearchOptions): Promise<string> {
  const property = fc.asyncProperty(
    schedules,
    async (schedule) => (await run(schedule)).length === 0,
  );
  const { counterexample, counterexamplePath } = await fc.check(property, {
    numRuns: runs,
    seed,
  });
  if (!counterexample) return '';
  const [schedule] = counterexample;
  return [
    ...(await run(schedule)),
    `seed ${seed}, path ${counterexamplePath}`,
    JSON.stringify(schedule.setting),
    ...schedule.commands.map((command) => `  ${JSON.stringify(command)},`),
  ].join('\n');
}
