/*
 * The same work on ws alone, on the stock adapter and on ours, interleaved in one run: messages for
 * each second of the server's processor time, and their paired ratios, as no figure stands alone on
 * a noisy machine. The last column is the stock server against a second one of its own kind: a
 * ratio within its spread means nothing.
 *
 *   npm run bench                         7 rounds
 *   npm run bench -- push                 the workloads whose name has the word
 *   npm run bench -- --json=figures.json  every round, for other programs
 *   npm run bench -- --svg=figures.svg    the medians as a chart
 *   npm run bench -- --quick              one short round, to see that it works
 */
import { writeFileSync } from 'node:fs';
import { chartOf } from './chart.js';
import { median, ratiosOf, type Figures } from './figures.js';
import { BenchServer } from './bench-server.js';
import { WORKLOADS, type Workload } from './workloads.js';

const wanted = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? '';
const quick = process.argv.includes('--quick');
const rounds = quick ? 1 : 7;
const scale = quick ? 0.02 : 1;

function optionOf(name: string): string | undefined {
  const prefix = `--${name}=`;
  return process.argv.find((argument) => argument.startsWith(prefix))?.slice(prefix.length);
}

function ratio(over: readonly number[], under: readonly number[]): string {
  const ratios = ratiosOf(over, under);
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  return `${median(ratios).toFixed(2)} × (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function thousands(values: readonly number[]): string {
  return `${(median(values) / 1000).toFixed(0)} k/s`;
}

async function compare(workload: Workload, servers: readonly BenchServer[]): Promise<Figures> {
  const rates = servers.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    const order = servers.map((_server, index) => (index + round + 1) % servers.length);
    for (const index of order) {
      const rate = await workload.run(servers[index]!, round === -1 ? scale / 4 : scale);
      if (round >= 0) rates[index]!.push(rate);
    }
  }
  const [raw, stock, again, safe] = rates as [number[], number[], number[], number[]];
  return { workload: workload.name, raw, stock, again, safe };
}

function rowOf({ workload, raw, stock, again, safe }: Figures): string[] {
  return [
    workload,
    thousands(raw),
    thousands(stock),
    thousands(safe),
    ratio(safe, raw),
    ratio(safe, stock),
    ratio(again, stock),
  ];
}

function print(all: readonly Figures[]): void {
  const head = ['workload', 'raw', 'stock', 'safe', 'safe / raw', 'safe / stock', 'stock / stock'];
  const rows = [head, ...all.map(rowOf)];
  const widths = head.map((_cell, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  }
}

async function main(): Promise<void> {
  const servers = [
    await BenchServer.start('raw'),
    await BenchServer.start('stock'),
    await BenchServer.start('stock'),
    await BenchServer.start('safe'),
  ];
  const all: Figures[] = [];
  try {
    for (const workload of WORKLOADS) {
      if (workload.name.includes(wanted)) all.push(await compare(workload, servers));
    }
  } finally {
    for (const server of servers) server.stop();
  }
  print(all);
  const json = optionOf('json');
  if (json) writeFileSync(json, `${JSON.stringify(all, undefined, 2)}\n`);
  const svg = optionOf('svg');
  if (svg) writeFileSync(svg, chartOf(all));
}

await main();
