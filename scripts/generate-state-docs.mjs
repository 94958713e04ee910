// Writes docs/reference/connection-states.md from src/core; with --check, only compares.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

const CORE = new URL('../src/core/', import.meta.url);
const PAGE = new URL('../docs/reference/connection-states.md', import.meta.url);

const { TABLE, PHASES, PHASE_FACTS } = await loadCore();
const STATES = new Set(PHASES.map(stateOf));
const page = pageOf();

if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, page);
} else if (!existsSync(PAGE) || readFileSync(PAGE, 'utf8') !== page) {
  console.error(
    'docs/reference/connection-states.md is stale: run "node scripts/generate-state-docs.mjs".',
  );
  process.exitCode = 1;
}

/** The core imports nothing but itself, so that it runs once its types are removed. */
async function loadCore() {
  const folder = mkdtempSync(join(tmpdir(), 'core-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    for (const name of readdirSync(CORE)) {
      const { outputText } = ts.transpileModule(readFileSync(new URL(name, CORE), 'utf8'), {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
      });
      writeFileSync(join(folder, name.replace(/\.ts$/, '.js')), outputText);
    }
    const load = (name) => import(pathToFileURL(join(folder, name)).href);
    return { ...(await load('connection.table.js')), ...(await load('connection.phases.js')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function parse(name) {
  const text = readFileSync(new URL(name, CORE), 'utf8');
  return { text, file: ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true) };
}

/** The declaration of a name, and the comment before it. */
function declarationOf(file, name) {
  const found = file.statements.find((statement) => {
    const { name: own } = statement.declarationList?.declarations[0] ?? statement;
    return own?.text === name;
  });
  if (!found) throw new Error(`${file.fileName}: ${name} not found`);
  return { node: found, comment: ts.getTextOfJSDocComment(found.jsDoc?.at(-1)?.comment) ?? '' };
}

/** The list in the comment of a declaration. */
function listOf(fileName, name) {
  const { comment } = declarationOf(parse(fileName).file, name);
  const start = comment.indexOf('- `');
  if (start < 0) throw new Error(`${fileName}: ${name} has no list in its comment`);
  return comment.slice(start);
}

/** The members of a union, each with the comment before it. */
function meaningRows(fileName, name) {
  const { text, file } = parse(fileName);
  const { types } = declarationOf(file, name).node.type;
  return types.map((member, index) => {
    const [literal] = /(?<=['`])(tell:|[\w-]+)/.exec(member.getText());
    const gap = text.slice(types[index - 1]?.end ?? types.pos, member.getStart());
    const [, comment] = /\/\*\*([^]*)\*\//.exec(gap) ?? [];
    if (!comment) throw new Error(`${fileName}: ${literal} has no comment`);
    const meaning = comment.replaceAll(/\s*\n\s*\*?/g, '').trim();
    return [code(literal === 'tell:' ? 'tell:…' : literal), meaning];
  });
}

function factRows() {
  return PHASES.map((phase) => {
    const { state, timer, capped, accepts, dispatches } = PHASE_FACTS[phase];
    return [
      code(phase),
      code(state),
      timer ? code(timer) : '',
      yes(capped),
      yes(accepts),
      yes(dispatches),
    ];
  });
}

function transitionRows() {
  return TABLE.map(({ from, on, when, to, notes = [], effects = [] }) => [
    from.map(code).join(' '),
    code(on),
    when ? code(when) : '',
    to ? code(to) : '',
    notes.map(code).join(' '),
    effects.map(code).join(' '),
  ]);
}

function yes(fact) {
  return fact ? 'yes' : '';
}

function code(name) {
  return `\`${name}\``;
}

/**
 * Every change of phase. Mermaid draws no arrow from within one state into another, so these go
 * from state to state, and arrive at an entry.
 */
function diagram() {
  const inside = new Map([...STATES].map((state) => [state, new Map()]));
  const between = new Map();
  for (const { from, on, to } of TABLE.filter((row) => row.to)) {
    for (const phase of from) {
      const [left, entered] = [stateOf(phase), stateOf(to)];
      if (left === entered) addEdge(inside.get(left), idOf(phase), idOf(to), on);
      else {
        addEdge(between, left, entered, on);
        addEdge(inside.get(entered), '[*]', idOf(to));
      }
    }
  }
  return [
    'stateDiagram-v2',
    '  [*] --> connecting',
    '  [*] --> open',
    ...linesOf(between),
    ...[...STATES]
      .filter(isComposite)
      .flatMap((state) => [
        `  state ${state} {`,
        ...PHASES.filter((phase) => stateOf(phase) === state).map(
          (phase) => `    ${idOf(phase)}: ${phase}`,
        ),
        ...linesOf(inside.get(state)).map((line) => `  ${line}`),
        '  }',
      ]),
    '  closed --> [*]',
  ].join('\n');
}

function addEdge(edges, from, to, ...events) {
  const edge = `${from} --> ${to}`;
  edges.set(edge, new Set([...(edges.get(edge) ?? []), ...events]));
}

function linesOf(edges) {
  return [...edges].map(
    ([edge, events]) => `  ${edge}${events.size > 0 ? `: ${[...events].join(', ')}` : ''}`,
  );
}

function isComposite(state) {
  return PHASES.filter((phase) => stateOf(phase) === state).length > 1;
}

function stateOf(phase) {
  return PHASE_FACTS[phase].state;
}

function idOf(phase) {
  return phase.replace('.', '_');
}

function tableOf(head, rows) {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function pageOf() {
  return `<!-- Generated from src/core by scripts/generate-state-docs.mjs: edit there. -->

# States of a connection

## Theory of operation

Everything that happens to a connection is an event: somebody closes, the peer's close frame is
read, a timer expires. The transition table takes an event in a phase, and answers with the next
phase and a list of effects; the runtime performs these in order, one event at a time. Nothing
else decides what follows what, so the page you read is the whole behaviour, and the exploration in
\`test/core/model\` visits every state that the table can reach together with a peer, a network,
handlers, hooks and several parties that close, and holds each against the guarantees.

A connection starts as \`connecting\` where somebody waits for \`handleConnection\`, or else as
\`open\`. A close passes through three steps of \`draining\`. The running macrotask ends first, so
that what is sent beside the close still goes out before it. Handlers may then finish, if everybody
who closed lets them and the peer is there. What was accepted is written last. Each step is left
out where it has nothing to wait for, and a stricter party or the peer cuts it short.

On the way into \`closing\` one close frame is written: that of the most severe request, or the echo
of the peer's. A ping goes directly before ours. Its pong shows that the peer read all that came
before it, so a close frame behind the pong is an answer, and one without it crossed ours. Then the
socket ends, or is destroyed when that takes too long.

No phase but \`open\` and \`closed\` lasts without a timer, and a cap bounds the close as a whole, also
where a slow reader keeps making progress. An event that comes too late to matter has a row that
does nothing; one that can't happen has none, and would be a defect of this package.

## Diagram

Without effects, and without the rows that keep the phase.

\`\`\`mermaid
${diagram()}
\`\`\`

## Phases

${listOf('connection.phases.ts', 'PHASES')}

${tableOf(['Phase', 'State', 'Timer', 'Capped', 'Accepts messages', 'Starts handlers'], factRows())}

## Transitions

Of the rows of one phase and event, the first whose condition holds applies.

${listOf('connection.table.ts', 'Guard')}

${tableOf(['In', 'Event', 'If', 'Next', 'Writes down', 'Effects'], transitionRows())}

## Events

${tableOf(['Event', 'Meaning'], meaningRows('connection.events.ts', 'ConnectionEvent'))}

## Effects

${tableOf(['Effect', 'Meaning'], meaningRows('connection.effects.ts', 'Effect'))}
`;
}
