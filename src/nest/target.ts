import type { WebSocket } from 'ws';
import type { CloseOutcome, Handshake } from '../core/outcomes.js';
import type { Connection } from '../runtime/connection.js';

/**
 * Names connections: those that meet every condition given. Without one, it names all; one that
 * is given as `undefined` is a mistake, and names nobody.
 */
export interface Target {
  readonly identity?: string;
  /** What it throws is told, and counts as false. */
  readonly where?: (connection: Connection) => boolean;
  /** All but these. */
  readonly except?: WebSocket | string | readonly (WebSocket | string)[];
}

/** What became of the connections that a target named. */
export type CloseSummary = Readonly<Record<Handshake, number>> & { readonly targets: number };

export interface TargetContext {
  readonly find: (client: unknown) => Connection | undefined;
  readonly onError: (error: unknown) => void;
}

export function matcherOf(
  target: unknown,
  { find, onError }: TargetContext,
): (connection: Connection) => boolean {
  if (typeof target !== 'object' || target === null) return () => false;
  const given = Object.entries(target);
  if (given.some(([, value]) => value === undefined)) return () => false;
  const { identity, where, except } = target as Target;
  const spared = new Set([except ?? []].flat().map((client) => find(client)));
  return (connection) => {
    if (spared.has(connection)) return false;
    if (identity !== undefined && connection.identity !== identity) return false;
    try {
      return where === undefined || where(connection);
    } catch (error) {
      onError(error);
      return false;
    }
  };
}

export function summaryOf(outcomes: readonly CloseOutcome[]): CloseSummary {
  const summary = { targets: outcomes.length, clean: 0, crossed: 0, terminated: 0, lost: 0 };
  for (const { handshake } of outcomes) summary[handshake]++;
  return summary;
}
