import type { Client } from './client.js';
import { WhatwgClient } from './whatwg.client.js';
import { WsClient } from './ws.client.js';

/** The clients that a race is run with, by the name that stands in its title. */
export const CLIENTS: readonly {
  readonly name: string;
  readonly connect: (url: string) => Promise<Client>;
}[] = [
  { name: 'a ws client', connect: (url) => WsClient.connect(url) },
  { name: 'a WHATWG client', connect: (url) => WhatwgClient.connect(url) },
];
