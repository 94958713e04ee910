import { TABLE, type Row } from '../../../src/core/connection.table.js';
import { transitionOf } from '../../../src/core/connection.transition.js';
import { CORE, type Core } from './core.parts.js';

/** A mistake that somebody could make in the core, and what it breaks. */
export interface Alteration {
  readonly name: string;
  readonly core: Core;
  readonly breaks: string;
}

export function withTable(table: readonly Row[]): Core {
  return { ...CORE, transition: transitionOf(table) };
}

/** Which rows are meant: those that have all of this. */
export interface Meant {
  readonly on: Row['on'];
  readonly from: Row['from'][number];
  readonly when?: Row['when'];
}

/** The table with one row changed, for one of the phases in which it applies. */
export function altered({ on, from, when }: Meant, change: (row: Row) => Partial<Row>): Row[] {
  const meant = TABLE.filter(
    (row) => row.on === on && row.from.includes(from) && row.when === when,
  );
  if (meant.length !== 1) throw new Error(`${meant.length} rows for ${on} in ${from}.`);
  return TABLE.flatMap((row) => {
    if (row !== meant[0]) return [row];
    return [
      { ...row, ...change(row), from: [from] },
      { ...row, from: row.from.filter((phase) => phase !== from) },
    ];
  });
}

export const without =
  (...dropped: readonly string[]) =>
  ({ effects = [], notes = [] }: Row): Partial<Row> => ({
    effects: effects.filter((effect) => !dropped.includes(effect)),
    notes: notes.filter((note) => !dropped.includes(note)),
  });
