/*
 * A rolling deploy on a virtual clock: the drain of src/core on every node, and clients that come
 * back as they may. Prints one row for each setting, and what to set; draws a chart.
 *
 *   npm run simulate:drain                                   a million connections on 20 nodes
 *   npm run simulate:drain -- --nodes 50 --capacity 300      a cluster of your own
 *   npm run simulate:drain -- --quick                        a small one, to see that it works
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readOptions, USAGE, type CommandOptions } from './command.options.js';
import { movesOf, recommendationOf, tableOf } from './report.text.js';
import { chartOf } from './sweep.chart.js';
import { sweep } from './sweep.pool.js';

async function run({ out, ...cluster }: CommandOptions): Promise<void> {
  const startedAt = performance.now();
  const { connections, nodes, seed } = cluster;
  console.log(`${connections} connections on ${nodes} nodes, replaced one by one; seed ${seed}\n`);
  const rows = await sweep(cluster);
  console.log(`${tableOf(rows)}\n\n${movesOf(rows, connections)}\n`);
  console.log(`${recommendationOf(rows, cluster.capacity)}\n`);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, chartOf(rows, cluster));
  const took = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`Drawn to ${out}. Took ${took} s.`);
}

let options: CommandOptions | undefined;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = 1;
}
if (options) await run(options);
