// Writes docs/reference/races.md from src/core/races.ts; with --check, only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

const SOURCE = new URL('../src/core/races.ts', import.meta.url);
const PAGE = new URL('../docs/reference/races.md', import.meta.url);

const LOGGED = { expected: 'debug', unexpected: 'warn', defect: 'error' };

const page = pageOf(racesOf(readFileSync(SOURCE, 'utf8')));
if (!process.argv.includes('--check')) {
  writeFileSync(PAGE, page);
} else if (readFileSync(PAGE, 'utf8') !== page) {
  console.error('docs/reference/races.md is stale: run "node scripts/generate-race-docs.mjs".');
  process.exitCode = 1;
}

/** The entries of RACE_LEVELS, each with the comment before it. */
function racesOf(text) {
  const file = ts.createSourceFile('races.ts', text, ts.ScriptTarget.Latest, true);
  const races = [];
  const visit = (node) => {
    if (ts.isPropertyAssignment(node)) {
      const kind = node.name.text;
      const level = node.initializer.text;
      const meaning = ts.getTextOfJSDocComment(node.jsDoc?.at(-1)?.comment)?.replace(/\s+/g, ' ');
      if (!meaning || !LOGGED[level]) throw new Error(`races.ts: ${kind} lacks a comment or level`);
      races.push({ kind, level, meaning });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  if (races.length === 0) throw new Error('races.ts: no races found');
  return races;
}

function pageOf(races) {
  const rows = races.map(
    ({ kind, level, meaning }) => `| \`${kind}\` | ${level} | ${LOGGED[level]} | ${meaning} |`,
  );
  return `<!-- Generated from src/core/races.ts by scripts/generate-race-docs.mjs: edit there. -->

# Races

Every kind of race and misuse that is met, counted and told. The list is closed: a dashboard may
rely on it. Each is an event of \`SafeCloseService.events$\` (\`type: 'race'\`, with its \`kind\`), a
count in \`report().races\`, and a line of the log under the context \`SafeClose\`: at most five of a
kind in ten seconds, and the first after that says how many were withheld.

- **expected** ones belong to the life of a busy server
- **unexpected** ones want somebody's attention
- a **defect** is this package's or the transport's: please report it

| Kind | Level | Logged at | What happened |
|---|---|---|---|
${rows.join('\n')}

In code: \`RACE_KINDS\`, \`RACE_LEVELS\` and the type \`RaceKind\`.
`;
}
