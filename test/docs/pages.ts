import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** A code block of a page; `<!-- snippet: name -->` before it names it. */
export interface Snippet {
  readonly page: string;
  readonly line: number;
  readonly name: string | undefined;
  /** What `<!-- given: … -->` declares before it, for the compiler only. */
  readonly given: string;
  readonly code: string;
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** README and everything under docs, but for what typedoc writes there. */
export function allPages(): Page[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith(join('docs', 'api')));
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs.toSorted()].map(readPage);
}

const BLOCK =
  /(?:<!-- snippet: (?<name>[\w-]+) -->\n)?(?:<!-- given:\n(?<given>[\s\S]*?)-->\n)?```ts\n(?<code>[\s\S]*?)```/g;

export function snippetsOf({ path, text }: Page): Snippet[] {
  return [...text.matchAll(BLOCK)].map((match) => {
    const { name, given = '', code = '' } = match.groups!;
    const line = text.slice(0, match.index + match[0].indexOf('```ts')).split('\n').length + 1;
    return { page: path, line, name, given, code };
  });
}

export function snippet(path: string, name: string): Snippet {
  const found = snippetsOf(readPage(path)).find((candidate) => candidate.name === name);
  if (!found) throw new Error(`${path} has no snippet "${name}".`);
  return found;
}

/** The rows of the table that follows a heading; each a list of its cells. */
export function tableAfter(heading: string, { text, path }: Page): string[][] {
  const start = text.indexOf(`\n${heading}\n`);
  if (start === -1) throw new Error(`${path} has no heading "${heading}".`);
  const [, ...lines] = text.slice(start + heading.length + 2).split(/^(?=\|)/m);
  const rows: string[][] = [];
  for (const line of lines) {
    const [row = '', ...rest] = line.split('\n');
    rows.push(
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    if (rest.some((text_) => text_ !== '')) break;
  }
  return rows.slice(2);
}
