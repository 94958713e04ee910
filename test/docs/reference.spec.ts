import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { RACE_KINDS } from '../../src/index.js';
import { readPage, ROOT } from './pages.js';

/** The string literals and the fields that the types of the outcomes consist of. */
function namesIn(path: string): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) {
      names.push(node.literal.text);
    }
    if (ts.isPropertySignature(node) && ts.isIdentifier(node.name)) names.push(node.name.text);
    if (ts.isTypeAliasDeclaration(node) && node.name.text === 'CloseVerdict') return;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return names;
}

test('the page on outcomes names every status, cause and field', () => {
  const names = namesIn('src/core/outcomes.ts');
  expect(names).toEqual(expect.arrayContaining(['acknowledged', 'flush-timeout', 'durationMs']));
  const { text } = readPage('docs/reference/outcomes.md');
  expect(names.filter((name) => !new RegExp(`\`'?${name}'?\``).test(text))).toEqual([]);
});

test('the page on races has a row for every kind, in their order', () => {
  const { text } = readPage('docs/reference/races.md');
  const rows = [...text.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, kind]) => kind);
  expect(rows).toEqual(RACE_KINDS);
});
