/*
 * The same work on ws alone, on the stock adapter, on the adapter of Socket.IO and on ours,
 * interleaved in one run: figures and their paired ratios, as no figure stands alone on a noisy
 * machine. A ratio above 1 is better, of messages as of milliseconds. `stock / stock` is the stock
 * server against a second one of its own kind: a ratio within its spread means nothing. `load` is
 * how busy the generator was, of one core: at 100 % it would be the limit.
 *
 *   npm run bench                         7 rounds
 *   npm run bench -- push                 the workloads whose name has the word
 *   npm run bench -- --json=figures.json  every round, for other programs
 *   npm run bench -- --svg=figures.svg    the medians as a chart
 *   npm run bench -- --quick              one short round, to see that it works
 */
import { writeFileSync } from 'node:fs';
import { BenchServer, pinGenerator } from './bench-server.js';
import { chartOf } from './chart.js';
import {
  Collection,
  COLUMNS,
  median,
  ratiosOf,
  stackOf,
  type Column,
  type Figures,
} from './figures.js';
import { WORKLOADS, type Workload } from './workloads.js';

const wanted = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? '';
const quick = process.argv.includes('--quick');
const rounds = quick ? 1 : 7;
const scale = quick ? 0.02 : 1;
/** So that what is measured is compiled. */
const WARM_UP = 0.25;

type Servers = Readonly<Record<Column, BenchServer>>;

function optionOf(name: string): string | undefined {
  const prefix = `--${name}=`;
  return process.argv.find((argument) => argument.startsWith(prefix))?.slice(prefix.length);
}

async function startAll(): Promise<Servers> {
  const servers = await Promise.all(
    COLUMNS.map(async (column) => [column, await BenchServer.start(stackOf(column))] as const),
  );
  return Object.fromEntries(servers) as Record<Column, BenchServer>;
}

/** All columns in each round, another one first each time; returns how busy the generator was. */
async function measure(
  workload: Workload,
  servers: Servers,
  collection: Collection,
): Promise<number> {
  const columns = COLUMNS.filter((column) => !workload.without?.includes(stackOf(column)));
  const before = { cpu: process.cpuUsage(), at: performance.now() };
  for (let round = workload.fresh ? 0 : -1; round < rounds; round++) {
    for (let turn = 0; turn < columns.length; turn++) {
      const column = columns[(turn + round + 1) % columns.length]!;
      const server = workload.fresh
        ? await BenchServer.start(stackOf(column), 'two')
        : servers[column];
      const measured = await workload.run(server, round === -1 ? scale * WARM_UP : scale);
      if (workload.fresh) await server.stop();
      if (round >= 0) for (const measurement of measured) collection.add(column, measurement);
    }
  }
  const { user, system } = process.cpuUsage(before.cpu);
  return (user + system) / 1000 / (performance.now() - before.at);
}

function ratio(figures: Figures, over: Column, under: Column): string {
  const ratios = ratiosOf(figures, over, under);
  if (ratios.length === 0) return '–';
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  return `${median(ratios).toFixed(2)} × (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function figure(values: readonly number[]): string {
  const value = median(values);
  if (Number.isNaN(value)) return '–';
  if (value >= 100_000) return `${(value / 1000).toFixed(0)} k`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function rowOf(figures: Figures): string[] {
  const { name, unit, rounds: values } = figures;
  return [
    name,
    unit,
    figure(values.raw),
    figure(values.stock),
    figure(values['socket.io']),
    figure(values.safe),
    ratio(figures, 'safe', 'raw'),
    ratio(figures, 'safe', 'stock'),
    ratio(figures, 'again', 'stock'),
  ];
}

const RATIOS = ['safe / raw', 'safe / stock', 'stock / stock'];
const HEAD = ['figure', 'unit', 'raw', 'stock', 'socket.io', 'safe', ...RATIOS];

function print(all: readonly Figures[]): void {
  const rows = [HEAD, ...all.map(rowOf)];
  const widths = HEAD.map((_cell, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  }
}

/** After each workload, so that a run which is broken off leaves what it has found. */
function write(all: readonly Figures[]): void {
  const json = optionOf('json');
  if (json) writeFileSync(json, `${JSON.stringify(all, undefined, 2)}\n`);
  const svg = optionOf('svg');
  if (svg) writeFileSync(svg, chartOf(all));
}

async function main(): Promise<void> {
  pinGenerator();
  const servers = await startAll();
  const collection = new Collection();
  try {
    for (const workload of WORKLOADS) {
      if (!workload.name.includes(wanted)) continue;
      const load = await measure(workload, servers, collection);
      console.error(`${workload.name}: load ${(100 * load).toFixed(0)} %`);
      write(collection.all);
    }
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
  }
  print(collection.all);
}

await main();
