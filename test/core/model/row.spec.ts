import { describe, expect, it } from '@jest/globals';
import { TABLE, type Row } from '../../../src/core/connection.table.js';
import { withTable } from './alteration.types.js';
import { explore } from './exploration.search.js';
import { SKETCHES } from './scenario.list.js';

function nameOf({ on, when, to }: Row): string {
  return `${on}${when ? ` [${when}]` : ''}${to ? ` → ${to}` : ''}`;
}

function isCaught(table: readonly Row[]): boolean {
  return explore(withTable(table), SKETCHES).violation !== undefined;
}

const rows = TABLE.map((row) => ({ row, name: nameOf(row) }));

const places = rows.flatMap(({ row, name }) => row.from.map((phase) => ({ row, name, phase })));

const parts = rows.flatMap(({ row, name }) =>
  (['effects', 'notes'] as const).flatMap((list) =>
    (row[list] ?? []).map((part) => ({ row, name, list, part, phases: row.from.join(', ') })),
  ),
);

describe('the exploration notices', () => {
  it.each(places)('that $phase has no row for $name', ({ row, phase }) => {
    const rest = { ...row, from: row.from.filter((other) => other !== phase) };
    expect(isCaught(TABLE.map((other) => (other === row ? rest : other)))).toBe(true);
  });

  it.each(parts)('that $name in $phases forgets $part', ({ row, list, part }) => {
    const rest = { ...row, [list]: row[list]!.filter((other) => other !== part) };
    expect(isCaught(TABLE.map((other) => (other === row ? rest : other)))).toBe(true);
  });
});
