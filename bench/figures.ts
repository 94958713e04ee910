/** Messages for each second of the server's processor time, of each round. */
export interface Figures {
  readonly workload: string;
  readonly raw: readonly number[];
  readonly stock: readonly number[];
  /** A second server like `stock`. */
  readonly again: readonly number[];
  readonly safe: readonly number[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Of the same round each, as the machine is as noisy for both. */
export function ratiosOf(over: readonly number[], under: readonly number[]): number[] {
  return over.map((value, index) => value / under[index]!);
}
