import type { Random } from './random.js';

/** When a client comes back. */
export interface BackOff {
  readonly name: string;
  /**
   * Milliseconds until the next attempt.
   *
   * @param code - of the close frame; 1006 where there was none, or the attempt failed
   * @param failures - attempts that failed since the connection was lost
   */
  wait(code: number, failures: number, random: Random): number;
}

/** No client waits longer. */
const LONGEST = 60_000;

// See random.ts.
const { min } = Math;

/** Anywhere between nothing and a bound that doubles with each failure. */
function fullJitter(first: number, failures: number, random: Random): number {
  return random() * min(LONGEST, first * 2 ** failures);
}

/** By what helps least. */
export const BACK_OFFS = [
  { name: 'none', wait: () => 0 },
  { name: 'fixed 1 s', wait: () => 1_000 },
  {
    name: 'full jitter, first 0–1 s',
    wait: (_code, failures, random) => fullJitter(1_000, failures, random),
  },
  {
    // RFC 6455 §7.2.3
    name: 'full jitter, first 0–5 s',
    wait: (_code, failures, random) => fullJitter(5_000, failures, random),
  },
  {
    // The registry of close codes asks for 5 to 30 s after a service restart.
    name: 'by code: 1012 5–30 s',
    wait: (code, failures, random) =>
      code === 1012 ? 5_000 + random() * 25_000 : fullJitter(5_000, failures, random),
  },
] as const satisfies readonly BackOff[];
