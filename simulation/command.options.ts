import { parseArgs } from 'node:util';

export interface CommandOptions {
  readonly connections: number;
  readonly nodes: number;
  readonly capacity: number;
  readonly seed: number;
  /** Where the chart is written. */
  readonly out: string;
}

export const USAGE = `Usage: npm run simulate:drain -- [options]
  --connections <n>  of the whole cluster (1000000; 20000 with --quick)
  --nodes <n>        that are replaced one after the other (20; 5 with --quick)
  --capacity <n>     connections that a node can make in a second (1000)
  --seed <n>         of everything random (1)
  --out <path>       of the chart (build/simulate-drain.svg)
  --quick            a small cluster, to see that it works`;

interface Range {
  readonly least: number;
  readonly most: number;
}

/** What the command line asks for. Throws one error for all that is wrong with it. */
export function readOptions(commandLine: readonly string[]): CommandOptions {
  const { values } = parseArgs({
    args: [...commandLine],
    strict: true,
    allowPositionals: false,
    options: {
      connections: { type: 'string' },
      nodes: { type: 'string' },
      capacity: { type: 'string' },
      seed: { type: 'string' },
      out: { type: 'string', default: 'build/simulate-drain.svg' },
      quick: { type: 'boolean', default: false },
    },
  });
  const faults: string[] = [];
  const whole = (
    name: 'connections' | 'nodes' | 'capacity' | 'seed',
    otherwise: number,
    { least, most }: Range,
  ): number => {
    const given = values[name];
    if (given === undefined) return otherwise;
    const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
    if (value >= least && value <= most) return value;
    faults.push(`--${name} must be a whole number from ${least} to ${most}, not "${given}".`);
    return otherwise;
  };
  const nodes = whole('nodes', values.quick ? 5 : 20, { least: 2, most: 1_000 });
  const options = {
    nodes,
    connections: whole('connections', values.quick ? 20_000 : 1_000_000, {
      least: nodes,
      most: 10_000_000,
    }),
    capacity: whole('capacity', 1_000, { least: 1, most: 1_000_000 }),
    seed: whole('seed', 1, { least: 0, most: 2 ** 32 - 1 }),
    out: values.out,
  };
  if (values.out === '') faults.push('--out must be a path.');
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return options;
}
