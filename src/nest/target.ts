import type { WebSocket } from 'ws';
import type { CloseOutcome, Handshake } from '../core/outcomes.js';
import type { Connection } from '../runtime/connection.js';

/**
 * Names connections: those that meet every condition given. Without one, it names all; a condition
 * that is given as `undefined`, or that there is not, is a mistake, and names nobody.
 */
export interface Target {
  readonly identity?: string;
  /** Only `true` counts; what it throws is told, and counts as false. */
  readonly where?: (connection: Connection) => boolean;
  /** All but these. */
  readonly except?: WebSocket | string | readonly (WebSocket | string)[];
}

/** What became of the connections that a target named. */
export type CloseSummary = Readonly<Record<Handshake, number>> & { readonly targets: number };

const CONDITIONS: ReadonlySet<string> = new Set<keyof Target>(['identity', 'where', 'except']);

function isMistaken([name, value]: [string, unknown]): boolean {
  return !CONDITIONS.has(name) || value === undefined || value === null;
}

export interface TargetContext {
  readonly find: (client: unknown) => Connection | undefined;
  readonly onError: (error: unknown) => void;
}

export function matcherOf(
  target: unknown,
  { find, onError }: TargetContext,
): (connection: Connection) => boolean {
  if (typeof target !== 'object' || target === null || Array.isArray(target)) return () => false;
  if (Object.entries(target).some(isMistaken)) return () => false;
  const { identity, where, except } = target as Target;
  const spared = new Set([except ?? []].flat().map((client) => find(client)));
  return (connection) => {
    if (spared.has(connection)) return false;
    if ('identity' in target && connection.identity !== identity) return false;
    try {
      // A promise, of an async function, is no yes.
      const met: unknown = where === undefined || where(connection);
      return met === true;
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
