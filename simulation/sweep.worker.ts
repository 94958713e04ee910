/* Simulates the settings that it is told, by their index; every one is independent of the others. */
import { parentPort, workerData } from 'node:worker_threads';
import { SETTINGS, simulate, type Cluster } from './settings.sweep.js';

parentPort!.on('message', (index: number) => {
  // Of a worker's port, not of a window.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort!.postMessage(simulate(workerData as Cluster, SETTINGS[index]!).result);
});
