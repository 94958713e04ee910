import type { WebSocket } from 'ws';
import type { Owner } from '../runtime/owner.js';
import type { WsPort } from './ws.port.js';

/** What ties a socket to its owner. */
export interface Ownership {
  readonly owner: Owner;
  readonly port: WsPort;
}

/** Under `Symbol.for`, as an app may load this package twice and a socket still has one owner. */
const OWNERSHIP = Symbol.for('nestjs-safe-close.ownership');

interface Owned {
  [OWNERSHIP]?: Ownership;
}

export function ownershipOf(socket: object): Ownership | undefined {
  return (socket as Owned)[OWNERSHIP];
}

export function ownerOf(client: unknown): Owner | undefined {
  return typeof client === 'object' && client !== null ? ownershipOf(client)?.owner : undefined;
}

export function setOwnership(socket: WebSocket, ownership: Ownership): void {
  Object.defineProperty(socket, OWNERSHIP, { value: ownership });
}
