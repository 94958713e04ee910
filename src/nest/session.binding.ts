import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { Owner } from '../runtime/owner.js';
import { onHookError } from './hook.errors.js';
import type { SafeCloseOptions } from './safe-close.options.js';

type Identity = NonNullable<SafeCloseOptions['identity']>;
export type ExpiresAt = NonNullable<NonNullable<SafeCloseOptions['session']>['expiresAt']>;

export interface SessionOptions {
  readonly identity?: Identity | undefined;
  readonly expiresAt?: ExpiresAt | undefined;
}

/**
 * Asks whose a connection is: before its hooks begin, so that they wait for those of a closing
 * connection of the same identity (G9), and once they have accepted it, so that a forged identity
 * kicks nobody.
 */
export function bindSession(
  owner: Owner,
  client: WebSocket,
  request: IncomingMessage,
  options: SessionOptions,
): void {
  const { identity, expiresAt } = options;
  if (!identity && !expiresAt) return;
  const leavers =
    identity && owner.anyLeaving ? leaversOf(owner, client, request, identity) : undefined;
  if (leavers) owner.hold(leavers);
  owner.acceptBy(() => accept(owner, client, request, options));
}

/** What `identity` throws, or leaves open, before the hooks have run is no fault yet. */
function leaversOf(
  owner: Owner,
  client: WebSocket,
  request: IncomingMessage,
  identity: Identity,
): Promise<void> | undefined {
  try {
    const claim = identity(client, request);
    if (!(claim instanceof Promise)) return owner.leaversOf(claim);
    return claim.then(
      (claimed) => owner.leaversOf(claimed),
      () => {},
    );
  } catch {
    return undefined;
  }
}

async function accept(
  owner: Owner,
  client: WebSocket,
  request: IncomingMessage,
  { identity, expiresAt }: SessionOptions,
): Promise<void> {
  try {
    const claimed = await identity?.(client, request);
    if (claimed !== undefined) owner.claim(claimed);
    const date = expiresAt?.(client, request);
    if (date !== undefined) owner.expiresAt(date);
  } catch (error) {
    onHookError(owner, 'The identity or session.expiresAt option', error);
  }
}
