/* oxlint-disable no-underscore-dangle -- Node's and ws's own names. */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createRequire } from 'node:module';
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws';
import { LifecycleHub } from '../../src/runtime/lifecycle.hub.js';
import { LifecycleStatistics } from '../../src/runtime/lifecycle.report.js';
import type { Owner } from '../../src/runtime/owner.js';
import { createRuntime, type Runtime } from '../../src/runtime/runtime.js';
import { own, ownedWebSocketClass } from '../../src/ws/owned-websocket.js';
import { ownerOf } from '../../src/ws/ownership.js';
import { afterTest } from '../support/cleanup.js';
import { policyOf, type PolicyPart } from '../support/policy.js';
import { within } from '../support/waiting.js';

/** A copy of ws; the types are those of the newest. */
export interface WsCopy {
  readonly name: string;
  readonly WebSocket: typeof WebSocket;
  readonly WebSocketServer: typeof WebSocketServer;
  /** Since 8.18. */
  readonly sendsBlobs: boolean;
}

const require = createRequire(import.meta.url);
const lowest = require('ws-lowest') as Pick<WsCopy, 'WebSocket' | 'WebSocketServer'>;

export const NEWEST: WsCopy = {
  name: 'the newest ws',
  WebSocket,
  WebSocketServer,
  sendsBlobs: true,
};
export const LOWEST: WsCopy = {
  name: 'ws 8.17.1',
  WebSocket: lowest.WebSocket,
  WebSocketServer: lowest.WebSocketServer,
  sendsBlobs: false,
};

export interface TestRuntime extends Runtime {
  readonly statistics: LifecycleStatistics;
}

export function testRuntime(): TestRuntime {
  const statistics = new LifecycleStatistics(0);
  let count = 0;
  return {
    statistics,
    ...createRuntime({
      observer: new LifecycleHub(statistics),
      nextId: () => String(++count),
    }),
  };
}

/** Both ends of a connection; the tests are about `socket`. */
export interface Pair {
  readonly socket: WebSocket;
  readonly peer: WebSocket;
}

export interface OwnedPair extends Pair {
  readonly owner: Owner;
  readonly runtime: TestRuntime;
  readonly server: WebSocketServer;
}

export interface PairOptions {
  readonly server?: ServerOptions;
  readonly policy?: PolicyPart;
}

/** What ws documents knows of no limit. */
export function withoutLimit(policy: PolicyPart = {}): PolicyPart {
  return { ...policy, send: { maxBuffered: Infinity, ...policy.send } };
}

/** A server on the network, closed after the test. */
export async function listening(
  copy: WsCopy,
  options: ServerOptions,
): Promise<{ server: WebSocketServer; url: string }> {
  const server = new copy.WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  afterTest(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await once(server, 'listening');
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A client of the newest ws, terminated after the test. */
export function connect(url: string, options: object = {}): WebSocket {
  const peer = new WebSocket(url, options);
  peer.on('error', () => {});
  afterTest(() => peer.terminate());
  return peer;
}

/** A server socket with an owner, and its client. */
export async function ownedPair(copy: WsCopy, options: PairOptions = {}): Promise<OwnedPair> {
  const runtime = testRuntime();
  const policy = policyOf(withoutLimit(options.policy));
  const { server, url } = await listening(copy, {
    ...options.server,
    WebSocket: ownedWebSocketClass(copy.WebSocket),
  });
  server.on('connection', (socket, request) => own(socket, request, runtime, policy));
  const accepted = once(server, 'connection');
  const peer = connect(url);
  const [[socket]] = (await within(
    Promise.all([accepted, once(peer, 'open')]),
    'a connection',
  )) as [[WebSocket], unknown];
  return { socket, peer, owner: ownerOf(socket)!, runtime, server };
}

/** The same without an owner: what ws itself does. */
export async function plainPair(copy: WsCopy, options: PairOptions = {}): Promise<Pair> {
  const { server, url } = await listening(copy, options.server ?? {});
  const accepted = once(server, 'connection');
  const peer = connect(url);
  const [[socket]] = (await within(
    Promise.all([accepted, once(peer, 'open')]),
    'a connection',
  )) as [[WebSocket], unknown];
  return { socket, peer };
}

/** What is written to any of them from now on, one buffer at a time. */
export function chunksTo(pairs: readonly { readonly socket: object }[]): Buffer[] {
  const written: Buffer[] = [];
  for (const { socket } of pairs) {
    const { _socket: stream } = socket as { readonly _socket: Socket };
    const write = stream._write.bind(stream);
    stream._write = (chunk: Buffer, ...rest) => {
      written.push(chunk);
      write(chunk, ...rest);
    };
  }
  return written;
}
