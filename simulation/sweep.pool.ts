import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DeployResult } from './rolling.deploy.js';
import { SETTINGS, type Cluster, type SweepRow } from './settings.sweep.js';

/** All settings, on all processors; the rows in the order of the settings. */
export async function sweep(cluster: Cluster): Promise<SweepRow[]> {
  const results: DeployResult[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL('./sweep.worker.js', import.meta.url), {
      workerData: cluster,
    });
    try {
      while (next < SETTINGS.length) {
        const index = next++;
        const answer = once(worker, 'message') as Promise<[DeployResult]>;
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        worker.postMessage(index);
        [results[index]] = await answer;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return SETTINGS.map((setting, index) => ({ ...setting, result: results[index]! }));
}
