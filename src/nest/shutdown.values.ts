import type { ShutdownOptions } from './safe-close.options.js';

/** How the server shuts down, with every default applied; times in ms. */
export type ShutdownValues = Required<Omit<ShutdownOptions, 'preset'>>;

/** Each figure's source stands with its option. */
export const DEFAULT_SHUTDOWN: ShutdownValues = {
  code: 1001,
  reason: 'server is shutting down',
  timeout: 10_000,
  batchSize: 1_000,
  batchInterval: 200,
  readinessDelay: 0,
  retryAfter: 5_000,
};
