import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Owner } from '../runtime/owner.js';
import type { ObservedConnection } from './observed-connection.js';
import type { WsPort } from './ws.port.js';

/** What ties a socket to its owner. */
export interface Ownership {
  readonly owner: Owner;
  readonly port: WsPort;
  /** By which ws's server learns of the end, also where the app removes all listeners. */
  readonly serverListeners?: readonly CloseListener[];
}

type CloseListener = (this: unknown, ...args: unknown[]) => unknown;

/** Under `Symbol.for`, as an app may load this package twice and a socket still has one owner. */
const OWNERSHIP = Symbol.for('nestjs-safe-close.ownership');
const OBSERVATION = Symbol.for('nestjs-safe-close.observation');

interface Marked {
  [OWNERSHIP]?: Ownership;
  [OBSERVATION]?: ObservedConnection;
}

function marksOf(client: unknown): Marked | undefined {
  return typeof client === 'object' && client !== null ? client : undefined;
}

export function ownershipOf(socket: object): Ownership | undefined {
  return (socket as Marked)[OWNERSHIP];
}

export function ownerOf(client: unknown): Owner | undefined {
  return marksOf(client)?.[OWNERSHIP]?.owner;
}

export function setOwnership(socket: WebSocket, ownership: Ownership): void {
  Object.defineProperty(socket, OWNERSHIP, { value: ownership });
}

const CLIENT = Symbol('nestjs-safe-close.client');

/** Known to the stream itself, as one function then serves all streams. */
export function setClient(stream: Duplex, client: WebSocket): void {
  Object.assign(stream, { [CLIENT]: client });
}

export function clientOf(stream: Duplex): WebSocket | undefined {
  return (stream as { readonly [CLIENT]?: WebSocket })[CLIENT];
}

/** In `mode: 'observe'` a socket has no owner, only somebody who watches. */
export function observationOf(client: unknown): ObservedConnection | undefined {
  return marksOf(client)?.[OBSERVATION];
}

export function setObservation(socket: WebSocket, connection: ObservedConnection): void {
  Object.defineProperty(socket, OBSERVATION, { value: connection });
}
