import type { Stack } from './server.js';

/** One figure of one run. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Less is better. */
  readonly less?: boolean;
}

/** Who is measured; `again` is a second server like `stock`. */
export const COLUMNS = ['raw', 'stock', 'again', 'socket.io', 'safe'] as const;
export type Column = (typeof COLUMNS)[number];

export function stackOf(column: Column): Stack {
  return column === 'again' ? 'stock' : column;
}

/** One figure of all rounds; those that can't do it have none. */
export interface Figures extends Omit<Measurement, 'value'> {
  readonly rounds: Readonly<Record<Column, readonly number[]>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** How many times as good, round by round, as the machine is as noisy for both. */
export function ratiosOf({ rounds, less }: Figures, over: Column, under: Column): number[] {
  return rounds[over].flatMap((value, index) => {
    const other = rounds[under][index];
    if (other === undefined) return [];
    return less ? other / value : value / other;
  });
}

/** Those of one name, of all rounds. */
export class Collection {
  readonly #byName = new Map<string, Figures & { rounds: Record<Column, number[]> }>();

  add(column: Column, { value, ...measurement }: Measurement): void {
    let figures = this.#byName.get(measurement.name);
    if (!figures) {
      const rounds = { raw: [], stock: [], again: [], 'socket.io': [], safe: [] };
      figures = { ...measurement, rounds };
      this.#byName.set(measurement.name, figures);
    }
    figures.rounds[column].push(value);
  }

  get all(): Figures[] {
    return [...this.#byName.values()];
  }
}
