/** How connections are asked to close: so many at once, so often; times in ms. */
export interface BatchPlan {
  readonly batchSize: number;
  readonly batchInterval: number;
}

/** The part of the time left that batches may take; the rest is for the last of them to end. */
const SHARE_FOR_BATCHES = 0.5;

/**
 * The plan, with batches made large enough that the last one is asked in the first half of the
 * time left: a pace that was meant for fewer connections must not end in a deadline.
 */
export function fitBatches(plan: BatchPlan, connections: number, timeLeft: number): BatchPlan {
  const { batchInterval } = plan;
  if (batchInterval === 0) return { batchSize: Math.max(1, connections), batchInterval };
  const turns = 1 + Math.floor((Math.max(0, timeLeft) * SHARE_FOR_BATCHES) / (batchInterval * 1.5));
  return { batchSize: Math.max(plan.batchSize, Math.ceil(connections / turns)), batchInterval };
}

/**
 * The wait before the next batch: the interval, half of it more or less, so that servers that
 * drain at once do not keep step.
 *
 * @param random - evenly spread over [0, 1)
 */
export function jitteredInterval({ batchInterval }: BatchPlan, random: number): number {
  return batchInterval * (0.5 + random);
}
