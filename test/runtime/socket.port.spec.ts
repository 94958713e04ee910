import { afterAll, beforeAll } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { SocketListener } from '../../src/runtime/socket.port.js';
import { baseMembersOf } from '../../src/ws/base-members.js';
import { ownedMembers } from '../../src/ws/owned-members.js';
import { ownedWebSocketClass } from '../../src/ws/owned-websocket.js';
import { setOwnership, type Ownership } from '../../src/ws/ownership.js';
import { WsPort } from '../../src/ws/ws.port.js';
import { afterTest } from '../support/cleanup.js';
import type { FakePeer } from '../support/fakes/fake.peer.js';
import { createSocketPair } from '../support/fakes/socket.pair.js';
import { LOWEST, NEWEST, type WsCopy } from '../ws/pairs.js';
import {
  socketPortContract,
  type ConnectedPort,
  type ContractPeer,
  type PeerMessage,
  type PortKind,
} from './socket-port.contract.js';

// In memory.

function fakePeer(peer: FakePeer): ContractPeer {
  return {
    get messages() {
      return peer.messages;
    },
    get pings() {
      return peer.frames.flatMap((frame) =>
        frame.type === 'ping' ? [frame.payload.toString()] : [],
      );
    },
    get order() {
      return peer.frames.flatMap((frame) => {
        if (frame.type === 'message') return [frame.data.toString()];
        return frame.type === 'ping' ? [`ping ${frame.payload.toString()}`] : [];
      });
    },
    get closeFrame() {
      return peer.closeFrame;
    },
    get ended() {
      return peer.closed !== undefined;
    },
    send: (data) => peer.send(data),
    ping: (payload) => peer.ping(Buffer.from(payload)),
    pong: (payload) => peer.pong(Buffer.from(payload)),
    close: (code, reason) => peer.close(code, reason),
    end: () => peer.end(),
    reset: () => peer.reset(),
    breakProtocol: () => peer.breakProtocol(),
    pause: () => peer.pause(),
    resume: () => peer.resume(),
  };
}

function schedule(task: () => void): void {
  setImmediate(task);
}

function memoryPorts(batching: boolean | 'hasty'): PortKind {
  const pairFor = (listener: SocketListener, connecting = false) => {
    const pair = createSocketPair({ schedule, connecting, batching });
    pair.port.listener = listener;
    return pair;
  };
  return {
    sendsBlobs: true,
    endOvertakes: false,
    connect: (listener, { answersPings = true } = {}) => {
      const { port, peer } = pairFor(listener);
      peer.habits.answersPings = answersPings;
      return Promise.resolve({ port, peer: fakePeer(peer) });
    },
    connecting: (listener) => {
      const { port } = pairFor(listener, true);
      return Promise.resolve({ port, open: () => Promise.resolve(port.open()) });
    },
  };
}

socketPortContract('memory', memoryPorts(false));
socketPortContract('memory, in batches', memoryPorts(true));
socketPortContract('memory, in batches but for the first', memoryPorts('hasty'));

// Over ws.

/** The TCP socket below a ws socket; ws has no public way to it. */
function streamBelow(socket: WebSocket): Socket {
  return (socket as unknown as { readonly _socket: Socket })['_socket'];
}

/** An owner that only passes on what its port reports. */
function ownershipBy(listener: SocketListener, port: WsPort): Ownership {
  const owner = Object.assign(Object.create(listener) as object, {
    live: true,
    queuedBytes: 0,
    reportEnd: () => {},
    tell: () => {},
  });
  return { owner, port } as unknown as Ownership;
}

class WsPeer implements ContractPeer {
  readonly messages: PeerMessage[] = [];
  readonly pings: string[] = [];
  readonly order: string[] = [];
  closeFrame: ContractPeer['closeFrame'];
  ended = false;

  constructor(private readonly client: WebSocket) {
    client.on('message', (data: Buffer, isBinary) => {
      this.messages.push({ data, isBinary });
      this.order.push(data.toString());
    });
    client.on('ping', (payload) => {
      this.pings.push(payload.toString());
      this.order.push(`ping ${payload.toString()}`);
    });
    client.on('error', () => {});
    client.on('close', (code, reason) => {
      if (code !== 1006) this.closeFrame = { code, reason: reason.toString() };
      this.ended = true;
    });
  }

  send(data: string | Buffer): void {
    this.client.send(data);
  }

  ping(payload: string): void {
    this.client.ping(payload);
  }

  pong(payload: string): void {
    this.client.pong(payload);
  }

  close(code: number, reason: string): void {
    if (code === 1005) this.client.close();
    else this.client.close(code, reason);
  }

  end(): void {
    this.#behindAll(() => streamBelow(this.client).end());
  }

  reset(): void {
    streamBelow(this.client).resetAndDestroy();
  }

  breakProtocol(): void {
    this.#behindAll(() => streamBelow(this.client).write(Buffer.from([0xff, 0x00])));
  }

  pause(): void {
    this.client.pause();
  }

  resume(): void {
    this.client.resume();
  }

  /** A compressor may still hold what was sent; the callback of a ping comes behind it. */
  #behindAll(what: () => void): void {
    this.client.ping('', undefined, what);
  }
}

/** The port over real sockets on loopback. */
function wsPorts(copy: WsCopy, perMessageDeflate = false): PortKind {
  const { WebSocketServer: Server, WebSocket: Client, sendsBlobs } = copy;
  const compression = perMessageDeflate && { threshold: 0 };
  const http = createServer();
  const server = new Server({
    noServer: true,
    WebSocket: ownedWebSocketClass(Client),
    perMessageDeflate: compression,
  });
  let upgraded: (socket: WebSocket, request: IncomingMessage) => void;
  let held: ((accept: () => void) => void) | undefined;

  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const accept = (): void => {
      server.handleUpgrade(request, socket, head, (client) => upgraded(client, request));
    };
    if (held) held(accept);
    else accept();
  });
  beforeAll(async () => {
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
  });
  afterAll(() => void http.close());

  const dial = (options: object = {}): WebSocket => {
    const { port } = http.address() as AddressInfo;
    const client = new Client(`ws://127.0.0.1:${port}`, {
      perMessageDeflate: compression,
      ...options,
    });
    client.on('error', () => {});
    return client;
  };

  return {
    sendsBlobs,
    endOvertakes: perMessageDeflate,
    connect: async (listener, { answersPings = true } = {}) => {
      const connected = new Promise<ConnectedPort['port']>((resolve) => {
        upgraded = (socket, request) => {
          const port = new WsPort(socket, baseMembersOf(Client.prototype));
          setOwnership(socket, ownershipBy(listener, port));
          request.socket.once('end', () => listener.onPeerEnd());
          afterTest(() => port.destroy());
          resolve(port);
        };
      });
      const client = dial({ autoPong: answersPings });
      afterTest(() => client.terminate());
      const [port] = await Promise.all([connected, once(client, 'open')]);
      return { port, peer: new WsPeer(client) };
    },
    connecting: async (listener) => {
      const upgrade = new Promise<() => void>((resolve) => {
        held = resolve;
      });
      const client = dial();
      const base = baseMembersOf(Client.prototype);
      Object.defineProperties(client, ownedMembers(base));
      const port = new WsPort(client, base);
      setOwnership(client, ownershipBy(listener, port));
      afterTest(() => port.destroy());
      const accept = await upgrade;
      held = undefined;
      return {
        port,
        open: async () => {
          upgraded = () => {};
          accept();
          await once(client, 'open');
        },
      };
    },
  };
}

socketPortContract('ws', wsPorts(NEWEST));
socketPortContract('ws with compression', wsPorts(NEWEST, true));
socketPortContract('the lowest ws', wsPorts(LOWEST));
