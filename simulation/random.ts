export type Random = () => number;

/** Looked up once: under jest, each look at a global takes longer than the work itself. */
const { floor, imul } = Math;

/** Evenly spread over [0, 1); the same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How long something takes on the network: half of all take less than `median`. */
export interface Latency {
  readonly median: number;
  /** Of the logarithm (log-normal): 0 means always the median. */
  readonly spread: number;
}

const SAMPLES = 4_096;

/** A source of latencies. It draws from a table, as logarithms are slow millions of times. */
export function latencies({ median, spread }: Latency, random: Random): Random {
  const table = Float64Array.from({ length: SAMPLES }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return median * Math.exp(spread * normal);
  });
  return () => table[floor(random() * SAMPLES)]!;
}
