/* One server process on a port of its own, told what to do over IPC. */
import 'reflect-metadata';
import {
  Module,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway, WebSocketServer as Server } from '@nestjs/websockets';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SafeCloseModule, SafeCloseService } from 'nestjs-safe-close';
import type { Observable } from 'rxjs';
import { WebSocketServer, type WebSocket } from 'ws';

/** `raw`: ws alone. `stock`: Nest with its adapter. `safe`: the same with this module. */
export type Stack = 'raw' | 'stock' | 'safe';

/** What the bench asks of a server. */
export type Command =
  | {
      readonly do: 'push';
      readonly perClient: number;
      readonly bytes: number;
      readonly perTurn: number;
      /** A string of its own for each message, rather than one for all. */
      readonly fresh: boolean;
      /** The outcome of each turn is awaited; else a callback tells it. */
      readonly awaited: boolean;
    }
  | {
      readonly do: 'broadcast';
      readonly times: number;
      readonly bytes: number;
      readonly perTurn: number;
    }
  | { readonly do: 'expect'; readonly messages: number }
  | { readonly do: 'cpu' };

type PushCommand = Extract<Command, { do: 'push' }>;
type BroadcastCommand = Extract<Command, { do: 'broadcast' }>;

/** What differs between the stacks. */
interface App {
  readonly port: number;
  readonly clients: Iterable<WebSocket>;
  /** Settles with the outcome; absent where a callback is all there is. */
  send?(client: WebSocket, data: string): Promise<unknown>;
  broadcast(event: string, data: string): void;
}

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

@WebSocketGateway()
class BenchGateway {
  @Server() readonly server!: WebSocketServer;

  @SubscribeMessage('echo')
  echo(_client: WebSocket, data: unknown): unknown {
    return { event: 'echo', data };
  }

  @SubscribeMessage('sink')
  sink(): void {
    countMessage();
  }

  @SubscribeMessage('async sink')
  async asyncSink(): Promise<void> {
    await Promise.resolve();
    countMessage();
  }

  @UseInterceptors(PassThrough)
  @SubscribeMessage('intercepted sink')
  interceptedSink(): void {
    countMessage();
  }
}

/** The loop that everybody writes. */
function broadcastBy(clients: Iterable<WebSocket>, event: string, data: string): void {
  const frame = JSON.stringify({ event, data });
  for (const client of clients) client.send(frame);
}

async function startNest(stack: Stack): Promise<App> {
  @Module({
    imports: stack === 'safe' ? [SafeCloseModule.forRoot()] : [],
    providers: [BenchGateway],
  })
  class BenchModule {}
  const app = await NestFactory.create(BenchModule as Type, { logger: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const { clients } = app.get(BenchGateway).server;
  if (stack === 'stock') {
    return { port, clients, broadcast: (event, data) => broadcastBy(clients, event, data) };
  }
  const service = app.get(SafeCloseService);
  return {
    port,
    clients,
    send: (client, data) => service.send(client, data),
    broadcast: (event, data) => void service.broadcast({}, event, data),
  };
}

async function startRaw(): Promise<App> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (client) => {
    client.on('error', () => client.terminate());
    client.on('message', (message) => {
      const { event, data } = JSON.parse((message as Buffer).toString()) as Record<string, unknown>;
      if (event === 'echo') client.send(JSON.stringify({ event, data }));
      else countMessage();
    });
  });
  await once(server, 'listening');
  const { clients } = server;
  const { port } = server.address() as AddressInfo;
  return { port, clients, broadcast: (event, data) => broadcastBy(clients, event, data) };
}

/** In turns of so many, until all are done. */
function inTurns(total: number, perTurn: number, work: (index: number) => unknown): void {
  let done = 0;
  const turn = (): void => {
    const waiting: unknown[] = [];
    for (const end = Math.min(total, done + perTurn); done < end; done++) waiting.push(work(done));
    if (done >= total) return;
    if (waiting[0] === undefined) setImmediate(turn);
    else void Promise.all(waiting).then(() => setImmediate(turn));
  };
  turn();
}

function push(app: App, { perClient, bytes, perTurn, fresh, awaited }: PushCommand): void {
  const same = 'x'.repeat(bytes);
  const clients = [...app.clients];
  inTurns(perClient, perTurn, (index) => {
    const data = fresh ? String(index).padEnd(bytes, 'x') : same;
    if (awaited && app.send) return Promise.all(clients.map((client) => app.send!(client, data)));
    for (const client of clients) client.send(data);
    return undefined;
  });
}

function broadcast(app: App, { times, bytes, perTurn }: BroadcastCommand): void {
  const data = 'x'.repeat(bytes);
  inTurns(times, perTurn, () => app.broadcast('event', data));
}

async function main(stack: Stack): Promise<void> {
  const app = stack === 'raw' ? await startRaw() : await startNest(stack);
  process.on('message', (command: Command) => {
    if (command.do === 'push') push(app, command);
    else if (command.do === 'broadcast') broadcast(app, command);
    else if (command.do === 'cpu') process.send!({ cpu: process.cpuUsage() });
    else {
      received = 0;
      expected = command.messages;
      process.send!({ ready: true });
    }
  });
  process.send!({ port: app.port });
}

void main(process.argv[2] as Stack);
