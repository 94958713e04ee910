import { BACK_OFFS, type BackOff } from './back-off.strategies.js';
import { RollingDeploy, type DeployOptions, type DeployResult } from './rolling.deploy.js';
import type { DrainPlan } from './virtual.node.js';

/** One setting of the sweep: what the server's options are, and what its clients do. */
export interface Setting {
  readonly plan: DrainPlan;
  readonly backOff: BackOff;
}

export interface SweepRow extends Setting {
  readonly result: DeployResult;
}

const KUBERNETES = { timeout: 25_000, readinessDelay: 5_000 };
const DEFAULT_BATCHES = { batchSize: 1_000, batchInterval: 200, jitter: true };

/** From all at once to five minutes for each node; the defaults and the presets are among them. */
export const PLANS: readonly DrainPlan[] = [
  { timeout: 10_000, readinessDelay: 0, batchSize: 1_000, batchInterval: 0, jitter: true },
  { timeout: 10_000, readinessDelay: 0, ...DEFAULT_BATCHES },
  { ...KUBERNETES, ...DEFAULT_BATCHES },
  { ...KUBERNETES, ...DEFAULT_BATCHES, jitter: false },
  { ...KUBERNETES, ...DEFAULT_BATCHES, batchInterval: 2_000 },
  { ...KUBERNETES, ...DEFAULT_BATCHES, batchSize: 10_000 },
  { timeout: 60_000, readinessDelay: 5_000, ...DEFAULT_BATCHES },
  { timeout: 120_000, readinessDelay: 5_000, ...DEFAULT_BATCHES, batchSize: 200 },
  { timeout: 300_000, readinessDelay: 5_000, ...DEFAULT_BATCHES, batchSize: 200 },
];

/** The part of a node's capacity that reconnects may take; the rest is for everyday ones. */
export const SHARE_OF_CAPACITY = 0.8;

export type Cluster = Pick<DeployOptions, 'connections' | 'nodes' | 'capacity' | 'seed'>;

/** Every plan with every back-off. */
export const SETTINGS: readonly Setting[] = PLANS.flatMap((plan) =>
  BACK_OFFS.map((backOff) => ({ plan, backOff })),
);

export function simulate(cluster: Cluster, setting: Setting): SweepRow {
  return { ...setting, result: new RollingDeploy({ ...cluster, ...setting }).run() };
}

/** Clients meet no fault: no attempt is refused, no connection cut. */
function smooth({ result }: SweepRow): boolean {
  return result.refused + result.terminated === 0;
}

/**
 * The quickest deploy for clients of this kind that no node's capacity is too small for; one that
 * is smooth, where there is one.
 */
export function recommend(
  rows: readonly SweepRow[],
  backOff: BackOff,
  capacity: number,
): SweepRow | undefined {
  const bearable = rows.filter(
    (row) =>
      row.backOff.name === backOff.name &&
      row.result.peak <= capacity * SHARE_OF_CAPACITY &&
      Number.isFinite(row.result.finishedAt),
  );
  return bearable.toSorted(
    (a, b) => Number(smooth(b)) - Number(smooth(a)) || a.result.finishedAt - b.result.finishedAt,
  )[0];
}
