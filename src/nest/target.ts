import type { WebSocket } from 'ws';
import type { Connection } from '../runtime/connection.js';
import type { RegisteredConnection, Runtime } from '../runtime/runtime.js';

/**
 * Names connections: those that meet every condition given. Without one, it names all; a condition
 * that is given as `undefined`, or that there is not, is a mistake, and names nobody.
 */
export interface Target {
  /** Those in that room. */
  readonly room?: string;
  readonly identity?: string;
  /** Only `true` counts; what it throws is told, and counts as false. */
  readonly where?: (connection: Connection) => boolean;
  /** All but these. */
  readonly except?: WebSocket | string | readonly (WebSocket | string)[];
}

const CONDITIONS: ReadonlySet<string> = new Set<keyof Target>([
  'room',
  'identity',
  'where',
  'except',
]);

function isMistaken([name, value]: [string, unknown]): boolean {
  return !CONDITIONS.has(name) || value === undefined || value === null;
}

export interface TargetContext {
  readonly runtime: Pick<Runtime, 'connections' | 'rooms' | 'identities'>;
  readonly find: (client: unknown) => Connection | undefined;
  readonly onError: (error: unknown) => void;
  /** Only those whose closing has not begun. */
  readonly liveOnly?: boolean;
}

/** Those that a target names at this moment; only they are looked at that a room or identity has. */
export function namedBy(target: unknown, context: TargetContext): RegisteredConnection[] {
  try {
    const conditions = conditionsOf(target);
    if (!conditions) return [];
    // `where` is the app's: what it changes must not change who else is named.
    const candidates = candidatesOf(conditions, context);
    const { where } = conditions;
    return where === undefined
      ? candidates
      : candidates.filter((connection) => isMet(where, connection, context));
  } catch (error) {
    context.onError(error);
    return [];
  }
}

/** What a target asks for, read once, as it may have getters. */
function conditionsOf(target: unknown): Target | undefined {
  if (typeof target !== 'object' || target === null || Array.isArray(target)) return undefined;
  const entries = Object.entries(target);
  return entries.some(isMistaken) ? undefined : Object.fromEntries(entries);
}

function candidatesOf(
  { room, identity, except }: Target,
  { runtime: { connections, rooms, identities }, find, liveOnly }: TargetContext,
): RegisteredConnection[] {
  let candidates: Iterable<RegisteredConnection> = connections;
  if (room !== undefined) candidates = rooms.membersOf(room);
  else if (identity !== undefined) candidates = identities.membersOf(identity);
  const spared = except === undefined ? undefined : new Set([except].flat().map(find));
  const named: RegisteredConnection[] = [];
  // A loop, as a broadcast to all goes through thousands.
  for (const connection of candidates) {
    if (liveOnly && !connection.live) continue;
    if (spared?.has(connection)) continue;
    if (identity === undefined || connection.identity === identity) named.push(connection);
  }
  return named;
}

function isMet(
  where: (connection: Connection) => boolean,
  connection: Connection,
  { onError }: TargetContext,
): boolean {
  try {
    // A promise, of an async function, is no yes.
    const met: unknown = where(connection);
    return met === true;
  } catch (error) {
    onError(error);
    return false;
  }
}
