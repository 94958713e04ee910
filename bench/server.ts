/* One server process on a port of its own, told what to do over IPC. */
import 'reflect-metadata';
import {
  Module,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway, WebSocketServer as Server } from '@nestjs/websockets';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SafeCloseModule, SafeCloseService } from 'nestjs-safe-close';
import { EMPTY, type Observable } from 'rxjs';
import type { Server as IoServer, Socket as IoSocket } from 'socket.io';
import { WebSocketServer, type WebSocket } from 'ws';

/**
 * `raw`: ws alone. `stock`: Nest with its adapter. `safe`: the same with this module. `socket.io`:
 * Nest with the adapter of that.
 */
export type Stack = 'raw' | 'stock' | 'safe' | 'socket.io';

/** Of the gateway: all that are measured, or two. */
export type Handlers = 'all' | 'two';

/** What the bench asks of a server. */
export type Command =
  | {
      readonly do: 'push';
      readonly perClient: number;
      readonly bytes: number;
      readonly perTurn: number;
      /** A string of its own for each message, rather than one for all. */
      readonly fresh: boolean;
      /** A Buffer rather than a string. */
      readonly binary: boolean;
      /** The outcome of each turn is awaited; else a callback tells it. */
      readonly awaited: boolean;
    }
  | {
      readonly do: 'broadcast';
      readonly times: number;
      readonly bytes: number;
      readonly perTurn: number;
      /** Where a loop sends them, it makes the JSON text for each client, as many loops do. */
      readonly textForEach?: boolean;
    }
  | { readonly do: 'expect'; readonly messages: number }
  | { readonly do: 'cpu' }
  | { readonly do: 'memory' }
  | { readonly do: 'close'; readonly code: number };

type PushCommand = Extract<Command, { do: 'push' }>;
type BroadcastCommand = Extract<Command, { do: 'broadcast' }>;

/** What differs between the stacks. */
interface App {
  readonly port: number;
  readonly clients: () => Iterable<Client>;
  /** Settles with the outcome; absent where a callback is all there is. */
  send?(client: Client, data: string | Buffer): Promise<unknown>;
  broadcast(event: string, data: string, textForEach?: boolean): void;
  close(code: number): void;
}

/** The least that ws and Socket.IO have in common. */
interface Client {
  send(data: string | Buffer): unknown;
}

declare const gc: () => void;

let received = 0;
let expected = Number.POSITIVE_INFINITY;

function countMessage(): void {
  if (++received === expected) process.send!({ done: 'expect' });
}

class PassThrough implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

class Allow implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

class Same implements PipeTransform {
  transform(value: unknown): unknown {
    return value;
  }
}

const GATEWAY = { perMessageDeflate: true };

/** Two handlers, as what stock Nest keeps for a connection grows with their number. */
@WebSocketGateway(GATEWAY)
class SmallGateway {
  @Server() readonly server!: WebSocketServer | IoServer;

  @SubscribeMessage('echo')
  echo(_client: unknown, data: unknown): unknown {
    return { event: 'echo', data };
  }

  @SubscribeMessage('sink')
  sink(): void {
    countMessage();
  }
}

@WebSocketGateway(GATEWAY)
class BenchGateway extends SmallGateway {
  @SubscribeMessage('async sink')
  async asyncSink(): Promise<void> {
    await Promise.resolve();
    countMessage();
  }

  @SubscribeMessage('observable sink')
  observableSink(): Observable<never> {
    countMessage();
    return EMPTY;
  }

  @UseGuards(Allow)
  @SubscribeMessage('guarded sink')
  guardedSink(): void {
    countMessage();
  }

  @UsePipes(Same)
  @SubscribeMessage('piped sink')
  pipedSink(_client: unknown, _data: unknown): void {
    countMessage();
  }

  @UseInterceptors(PassThrough)
  @SubscribeMessage('intercepted sink')
  interceptedSink(): void {
    countMessage();
  }
}

/** The loop that everybody writes. */
function broadcastBy(
  clients: Iterable<WebSocket>,
  event: string,
  data: string,
  textForEach = false,
): void {
  const text = JSON.stringify({ event, data });
  for (const client of clients) client.send(textForEach ? JSON.stringify({ event, data }) : text);
}

async function startNest(stack: Stack, Gateway: Type<SmallGateway>): Promise<App> {
  @Module({
    imports: stack === 'safe' ? [SafeCloseModule.forRoot()] : [],
    providers: [Gateway],
  })
  class BenchModule {}
  const app = await NestFactory.create(BenchModule as Type, { logger: false });
  app.useWebSocketAdapter(stack === 'socket.io' ? new IoAdapter(app) : new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const { server } = app.get(Gateway);
  if (!('clients' in server)) {
    const { sockets } = server.sockets;
    return {
      port,
      clients: () => [...sockets.values()].map((socket: IoSocket) => socket),
      broadcast: (event, data) => void server.emit(event, data),
      close: () => server.disconnectSockets(true),
    };
  }
  const clients = (): Set<WebSocket> => server.clients;
  if (stack === 'stock') return { port, ...loops(clients) };
  const service = app.get(SafeCloseService);
  return {
    port,
    clients,
    send: (client, data) => service.send(client as WebSocket, data),
    broadcast: (event, data) => void service.broadcast({}, event, data),
    close: (code) => void service.closeWhere({}, code),
  };
}

/** What an app does that has no more than ws. */
function loops(clients: () => Iterable<WebSocket>): Omit<App, 'port'> {
  return {
    clients,
    broadcast: (...args) => broadcastBy(clients(), ...args),
    close: (code) => {
      for (const client of clients()) client.close(code);
    },
  };
}

async function startRaw(): Promise<App> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
  server.on('connection', (client) => {
    client.on('error', () => client.terminate());
    client.on('message', (message) => {
      const { event, data } = JSON.parse((message as Buffer).toString()) as Record<string, unknown>;
      if (event === 'echo') client.send(JSON.stringify({ event, data }));
      else countMessage();
    });
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, ...loops(() => server.clients) };
}

/** In turns of so many, until all are done. */
function inTurns(total: number, perTurn: number, work: () => unknown): void {
  let done = 0;
  const turn = (): void => {
    const waiting: unknown[] = [];
    for (const end = Math.min(total, done + perTurn); done < end; done++) waiting.push(work());
    if (done >= total) return;
    if (waiting[0] === undefined) setImmediate(turn);
    else void Promise.all(waiting).then(() => setImmediate(turn));
  };
  turn();
}

function push(app: App, command: PushCommand): void {
  const { perClient, bytes, perTurn, fresh, binary, awaited } = command;
  const same = binary ? Buffer.alloc(bytes, 'x') : 'x'.repeat(bytes);
  let made = 0;
  const next = (): string | Buffer => (fresh ? String(made++).padEnd(bytes, 'x') : same);
  const clients = [...app.clients()];
  // Of one clock for all processes of the machine.
  process.send!({ began: Number(process.hrtime.bigint()) / 1e6 });
  inTurns(perClient, perTurn, () => {
    if (awaited && app.send) return Promise.all(clients.map((client) => app.send!(client, next())));
    for (const client of clients) client.send(next());
    return undefined;
  });
}

function broadcast(app: App, command: BroadcastCommand): void {
  const { times, bytes, perTurn, textForEach } = command;
  const data = 'x'.repeat(bytes);
  inTurns(times, perTurn, () => app.broadcast('event', data, textForEach));
}

function memory(): NodeJS.MemoryUsage {
  gc();
  gc();
  return process.memoryUsage();
}

async function main(stack: Stack, handlers: Handlers): Promise<void> {
  const Gateway = handlers === 'two' ? SmallGateway : BenchGateway;
  const app = stack === 'raw' ? await startRaw() : await startNest(stack, Gateway);
  process.on('message', (command: Command) => {
    if (command.do === 'push') push(app, command);
    else if (command.do === 'broadcast') broadcast(app, command);
    else if (command.do === 'cpu') process.send!({ cpu: process.cpuUsage() });
    else if (command.do === 'memory') process.send!({ memory: memory() });
    else if (command.do === 'close') app.close(command.code);
    else {
      received = 0;
      expected = command.messages;
      process.send!({ ready: true });
    }
  });
  process.send!({ port: app.port });
}

void main(process.argv[2] as Stack, process.argv[3] as Handlers);
