import { BACK_OFFS } from './back-off.strategies.js';
import { recommend, SHARE_OF_CAPACITY, type SweepRow } from './settings.sweep.js';
import type { DrainPlan } from './virtual.node.js';

function seconds(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'never';
  return `${(ms / 1_000).toFixed(ms < 100_000 ? 1 : 0)} s`;
}

/** What the server's options are, in their own words where these are short. */
export function planOf({ timeout, batchSize, batchInterval, jitter }: DrainPlan): string {
  const batches =
    batchInterval === 0 ? 'all at once' : `${batchSize} every ${seconds(batchInterval)}`;
  return `${timeout / 1_000} s, ${batches}${jitter ? '' : ', no jitter'}`;
}

const COLUMNS: Readonly<Record<string, (row: SweepRow) => string>> = {
  timeout: ({ plan }) => String(plan.timeout),
  readinessDelay: ({ plan }) => String(plan.readinessDelay),
  batchSize: ({ plan }) => (plan.batchInterval === 0 ? 'all' : String(plan.batchSize)),
  batchInterval: ({ plan }) => String(plan.batchInterval),
  jitter: ({ plan }) => (plan.jitter ? 'yes' : 'no'),
  'clients wait': ({ backOff }) => backOff.name,
  'peak/s': ({ result }) => String(result.peak),
  p50: ({ result }) => seconds(result.p50Delay),
  p99: ({ result }) => seconds(result.p99Delay),
  refused: ({ result }) => String(result.refused),
  cut: ({ result }) => String(result.terminated),
  finished: ({ result }) => seconds(result.finishedAt),
};

/** One row a setting. */
export function tableOf(rows: readonly SweepRow[]): string {
  const cells = [
    Object.keys(COLUMNS),
    ...rows.map((row) => Object.values(COLUMNS).map((cell) => cell(row))),
  ];
  const widths = cells[0]!.map((_cell, column) =>
    Math.max(...cells.map((line) => line[column]!.length)),
  );
  return cells
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What to set, for each kind of client. */
export function recommendationOf(rows: readonly SweepRow[], capacity: number): string {
  const lines = BACK_OFFS.map((backOff) => {
    const best = recommend(rows, backOff, capacity);
    if (!best) return `  ${backOff.name}: nothing of the above; take more nodes or more time`;
    const { timeout, readinessDelay, batchSize, batchInterval } = best.plan;
    const options = `code: 1012, timeout: ${timeout}, readinessDelay: ${readinessDelay}, batchSize: ${batchSize}, batchInterval: ${batchInterval}`;
    const { peak, finishedAt } = best.result;
    return `  ${backOff.name}: shutdown: { ${options} } (peak ${peak}/s, ${seconds(finishedAt)})`;
  });
  const share = `${SHARE_OF_CAPACITY * 100}% of ${capacity} connections a second`;
  return [
    `The quickest that takes at most ${share} of each node, by how clients wait:`,
    ...lines,
  ].join('\n');
}

/** What a deploy one by one does to clients and nodes, whatever is set. */
export function movesOf(rows: readonly SweepRow[], connections: number): string {
  const moves = Math.max(...rows.map(({ result }) => result.lost)) / connections;
  const fullest = Math.max(...rows.map(({ result }) => result.fullest));
  return `Each client is moved up to ${moves.toFixed(1)} times on average; the fullest node that drains has ${fullest}.`;
}
