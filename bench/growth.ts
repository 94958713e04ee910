/*
 * How the cost of one connection grows with their number, which it must not. Each figure is that of
 * one, with its ratio to the same at 1,000 connections, both medians of the rounds: what grows worse
 * than linearly has a ratio that goes on growing. That of the processor's caches, and of the garbage
 * collector that copies what is still alive, ends: 50,000 connections fit into no cache, and 100 do.
 *
 *   npm run bench:growth                 in memory up to 50,000, on sockets up to 10,000
 *   npm run bench:growth -- --quick      one short round, to see that it works
 *   npm run bench:growth -- --json       one line, to compare two versions
 */
import { BenchServer, pinGenerator } from './bench-server.js';
import { median } from './figures.js';
import { inMemory } from './growth.memory.js';
import { onSockets } from './growth.sockets.js';

const quick = process.argv.includes('--quick');

interface Series {
  readonly where: string;
  /** How many at once; the ratios are to the second of them. */
  readonly counts: readonly number[];
  readonly rounds: number;
  /** Figures of one connection of so many at once, that many in all. */
  readonly measure: (count: number, lived: number) => Promise<Record<string, number>>;
  /** Few connections live again and again until it comes to so many, as once takes too short. */
  readonly lived: number;
}

interface Growth {
  readonly where: string;
  readonly figure: string;
  readonly connections: number;
  readonly value: number;
  readonly ratio: number;
}

const BASE = 1;

/** All counts in each round, another one first each time; the first round only warms up. */
async function grow({ where, counts, rounds, measure, lived }: Series): Promise<Growth[]> {
  const found = counts.map((): Record<string, number>[] => []);
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < counts.length; turn++) {
      const index = (turn + round + 1) % counts.length;
      const figures = await measure(counts[index]!, lived);
      if (round >= 0) found[index]!.push(figures);
    }
  }
  return Object.keys(found[BASE]![0]!).flatMap((figure) =>
    counts.map((connections, index) => {
      const values = found[index]!.map((figures) => figures[figure]!);
      const ratios = values.map((value, round) => value / found[BASE]![round]![figure]!);
      return { where, figure, connections, value: median(values), ratio: median(ratios) };
    }),
  );
}

function row(head: string, cells: readonly string[]): string {
  return `  ${head.padEnd(40)}${cells.map((cell) => cell.padStart(16)).join('')}`;
}

function print(all: readonly Growth[], { where, counts, rounds }: Series): void {
  const base = counts[BASE]!.toLocaleString('en');
  console.log(`${where}, for each connection, and as a ratio to ${base}; medians of ${rounds}`);
  const head = counts.map((count) => count.toLocaleString('en'));
  console.log(row('connections', head));
  for (const figure of new Set(all.map((growth) => growth.figure))) {
    const cells = all.filter((growth) => growth.figure === figure);
    const texts = cells.map(textOf);
    console.log(row(figure, texts));
  }
}

function textOf({ value, ratio }: Growth): string {
  if (Number.isNaN(value)) return '–';
  const text = value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  return `${text} (${ratio.toFixed(2)} ×)`;
}

async function main(): Promise<void> {
  pinGenerator();
  const server = await BenchServer.start('safe');
  const series: Series[] = [
    {
      where: 'in memory',
      counts: quick ? [10, 100, 200, 500] : [100, 1_000, 10_000, 50_000],
      rounds: quick ? 1 : 5,
      lived: quick ? 500 : 20_000,
      measure: inMemory,
    },
    {
      where: 'on sockets',
      counts: quick ? [10, 20, 50] : [100, 1_000, 10_000],
      rounds: quick ? 1 : 5,
      lived: quick ? 50 : 2_000,
      measure: (count, lived) => onSockets(server, count, lived),
    },
  ];
  const all: Growth[] = [];
  try {
    for (const each of series) {
      const growth = await grow(each);
      all.push(...growth);
      if (!process.argv.includes('--json')) print(growth, each);
    }
  } finally {
    await server.stop();
  }
  if (process.argv.includes('--json')) console.log(JSON.stringify(all));
}

await main();
