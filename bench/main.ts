/*
 * The same work on the stock adapter and on ours, interleaved in one run: messages for each second
 * of the server's processor time, and their paired ratios, as no figure stands alone on a noisy
 * machine. The last column is the stock server against a
 * second one of its own kind: a ratio within its spread means nothing.
 *
 *   npm run bench             7 rounds
 *   npm run bench -- push     the workloads whose name has the word
 *   npm run bench -- --quick  one short round, to see that it works
 */
import { BenchServer } from './bench-server.js';
import { WORKLOADS, type Workload } from './workloads.js';

const wanted = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? '';
const quick = process.argv.includes('--quick');
const rounds = quick ? 1 : 7;
const scale = quick ? 0.02 : 1;

function median(values: readonly number[]): number {
  const sorted = [...values].toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function ratio(over: readonly number[], under: readonly number[]): string {
  const ratios = over.map((value, index) => value / under[index]!);
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  return `${median(ratios).toFixed(2)} × (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function thousands(values: readonly number[]): string {
  return `${(median(values) / 1000).toFixed(0)} k/s`;
}

async function compare(workload: Workload, servers: readonly BenchServer[]): Promise<string[]> {
  const rates = servers.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    const order = servers.map((_server, index) => (index + round + 1) % servers.length);
    for (const index of order) {
      const rate = await workload.run(servers[index]!, round === -1 ? scale / 4 : scale);
      if (round >= 0) rates[index]!.push(rate);
    }
  }
  const [stock, again, safe] = rates as [number[], number[], number[]];
  return [
    workload.name,
    thousands(stock),
    thousands(safe),
    ratio(safe, stock),
    ratio(again, stock),
  ];
}

async function main(): Promise<void> {
  const servers = [
    await BenchServer.start('stock'),
    await BenchServer.start('stock'),
    await BenchServer.start('safe'),
  ];
  const rows = [['workload', 'stock', 'safe', 'safe / stock', 'stock / stock']];
  try {
    for (const workload of WORKLOADS) {
      if (workload.name.includes(wanted)) rows.push(await compare(workload, servers));
    }
  } finally {
    for (const server of servers) server.stop();
  }
  const widths = rows[0]!.map((_cell, column) =>
    Math.max(...rows.map((row) => row[column]!.length)),
  );
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  }
}

await main();
