import type { ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { own, ownedWebSocketClass } from '../../src/ws/owned-websocket.js';
import { RawPeer, type RawPeerManners } from '../support/clients/raw.peer.js';
import { policyOf } from '../support/policy.js';
import { deferred, Tally, within } from '../support/waiting.js';
import { listening, testRuntime, withoutLimit, type WsCopy } from './pairs.js';

/** A raw peer, and the server's side of its connection. */
export interface Joined {
  readonly socket: WebSocket;
  readonly peer: RawPeer;
  /** What the app gets to hear. */
  readonly events: Tally<string>;
}

/** A server of a copy of ws, with owners or without. */
export class Host {
  private constructor(
    private readonly server: WebSocketServer,
    private readonly url: string,
  ) {}

  static async owned(copy: WsCopy, options: ServerOptions = {}): Promise<Host> {
    const runtime = testRuntime();
    const policy = policyOf(withoutLimit());
    const { server, url } = await listening(copy, {
      ...options,
      WebSocket: ownedWebSocketClass(copy.WebSocket),
    });
    server.on('connection', (socket, request) => own(socket, request, runtime, policy));
    return new Host(server, url);
  }

  /** What ws itself does. */
  static async plain(copy: WsCopy, options: ServerOptions = {}): Promise<Host> {
    const { server, url } = await listening(copy, options);
    return new Host(server, url);
  }

  async join(withUpgrade: readonly Buffer[] = [], manners: RawPeerManners = {}): Promise<Joined> {
    const events = new Tally<string>();
    const { promise: accepted, resolve } = deferred<WebSocket>();
    this.server.once('connection', (client) => {
      client.on('message', (data: Buffer, isBinary) => {
        events.add(`${isBinary ? 'binary' : 'text'} ${data.toString('latin1')}`);
      });
      client.on('ping', (payload) => events.add(`ping ${payload.toString()}`));
      client.on('pong', (payload) => events.add(`pong ${payload.toString()}`));
      client.on('error', (error: NodeJS.ErrnoException) => events.add(`error ${error.code}`));
      client.on('close', () => events.add('close'));
      resolve(client);
    });
    const peer = await RawPeer.connect(this.url, { withUpgrade, ...manners });
    return { peer, events, socket: await within(accepted, 'a connection') };
  }
}
