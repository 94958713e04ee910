import { inspect } from 'node:util';
import { closeRaces } from './close.races.js';
import { crash, CRASH_NAMES, crashInChild } from './crash.races.js';
import { handlerRaces } from './handler.races.js';
import { inApp, type Stack } from './race.app.js';
import { replyRaces } from './reply.races.js';
import { sendRaces } from './send.races.js';

interface Line {
  readonly name: string;
  readonly measure: () => Promise<[stock: string, safe: string]>;
}

const [stack, name] = process.argv.slice(2);
if (name) await crash(stack as Stack, name);
else await compare();

/** Runs each race in both apps, and prints what was measured. */
async function compare(): Promise<void> {
  const notes: string[] = [];
  const noteOn = (options: object): string =>
    ` (${notes.push(inspect(options, { breakLength: Infinity }))})`;
  const lines: Line[] = [
    ...[...replyRaces, ...closeRaces, ...sendRaces, ...handlerRaces].map((race) => ({
      name: race.name + (race.options ? noteOn(race.options) : ''),
      measure: async (): Promise<[string, string]> => [
        await inApp('stock', race.run),
        await inApp('safe', race.run, race.options),
      ],
    })),
    ...CRASH_NAMES.map((crashName) => ({
      name: crashName,
      measure: () =>
        Promise.all([crashInChild('stock', crashName), crashInChild('safe', crashName)]),
    })),
  ];
  console.log('The same gateway in two apps: "stock" has a plain WsAdapter, "safe" also imports');
  console.log('SafeCloseModule.forRoot(). Real sockets; every figure was measured in this run.\n');
  const width = Math.max(...lines.map((line) => line.name.length));
  const row = (...cells: [string, string, string]): void =>
    console.log(`${cells[0].padEnd(width)}  ${cells[1].padEnd(28)}  ${cells[2]}`);
  row('race', 'stock', 'safe');
  row('-'.repeat(width), '-'.repeat(28), '-'.repeat(28));
  for (const line of lines) row(line.name, ...(await line.measure()));
  console.log('\nstock with { closeTimeout: 1000 }, as ws would wait 30 s');
  for (const [index, note] of notes.entries()) console.log(`(${index + 1}) safe with ${note}`);
}
