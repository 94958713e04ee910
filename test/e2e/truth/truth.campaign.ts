import type { LifecycleReport } from '../../../src/index.js';
import { RACE_KINDS, RACE_LEVELS } from '../../../src/index.js';
import { CoverageTally } from './coverage.tally.js';
import { scheduleOf } from './schedule.generator.js';
import { runSchedule, type ScheduleResult } from './schedule.runner.js';
import { scheduleText, shrink } from './schedule.shrinker.js';
import type { TruthApp } from './truth.app.js';

export interface CampaignOptions {
  readonly firstSeed: number;
  readonly count: number;
  /** Schedules at the same time. */
  readonly concurrency: number;
  readonly onProgress?: (coverage: CoverageTally, failures: number) => void;
}

export interface CampaignResult {
  /** Text for people; none where everything was true. */
  readonly failures: readonly string[];
  readonly coverage: CoverageTally;
}

/** Enough to see what is wrong; a thousand more would tell the same. */
const MAX_FAILURES = 10;

/** Runs schedules of successive seeds, and checks what each was told, and the report of them all. */
export async function runCampaign(
  app: TruthApp,
  { firstSeed, count, concurrency, onProgress }: CampaignOptions,
): Promise<CampaignResult> {
  const before = app.service.report();
  const coverage = new CoverageTally();
  const failed: ScheduleResult[] = [];
  const totals = { connections: 0, written: 0, lost: 0, refusedReplies: 0 };
  let next = firstSeed;
  const worker = async (): Promise<void> => {
    while (next < firstSeed + count && failed.length < MAX_FAILURES) {
      const result = await runSchedule(app, scheduleOf(next++));
      coverage.add(result);
      for (const { outcome } of result.records) {
        totals.connections++;
        totals.written += outcome?.written ?? 0;
        totals.lost += outcome?.lost ?? 0;
        totals.refusedReplies += outcome?.refusedReplies ?? 0;
      }
      if (result.violations.length > 0) failed.push(result);
      onProgress?.(coverage, failed.length);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const failures = failed.length === 0 ? reportFaults(before, app, totals) : [];
  for (const result of failed) failures.push(await failureText(app, result));
  return { failures, coverage };
}

async function failureText(
  app: TruthApp,
  { schedule, violations }: ScheduleResult,
): Promise<string> {
  const smallest = await shrink(schedule, async (smaller) => {
    const { violations: found } = await runSchedule(app, smaller);
    return found.length > 0;
  });
  return [
    ...violations,
    scheduleText(smallest),
    `Again, whole: SOAK_SEED=${schedule.seed} SOAK_SCHEDULES=1 npm run test:soak`,
  ].join('\n');
}

/** What `report()` says of a campaign must be the sum of what each connection was told. */
function reportFaults(
  before: LifecycleReport,
  { service }: TruthApp,
  totals: { connections: number; written: number; lost: number; refusedReplies: number },
): string[] {
  const after = service.report();
  const faults: string[] = [];
  const expectEqual = (what: string, actual: number, expected: number): void => {
    if (actual !== expected) faults.push(`report(): ${what} is ${actual}, not ${expected}`);
  };
  const { accepted, written, dropped, lost } = after.sends;
  expectEqual('accepted', accepted, written + dropped + lost);
  expectEqual('written', written - before.sends.written, totals.written);
  expectEqual('lost', lost - before.sends.lost, totals.lost);
  expectEqual(
    'refusedReplies',
    after.refusedReplies - before.refusedReplies,
    totals.refusedReplies,
  );
  expectEqual('opened', after.connections.opened - before.connections.opened, totals.connections);
  expectEqual('closed', after.connections.closed - before.connections.closed, totals.connections);
  expectEqual('open', after.connections.open, 0);
  expectEqual('connections.size', service.connections.size, 0);
  for (const kind of RACE_KINDS) {
    if (RACE_LEVELS[kind] === 'defect') expectEqual(kind, after.races[kind], before.races[kind]);
  }
  return faults;
}
