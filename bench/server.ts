/* One server process: `stock` or `safe`, on a port of its own, told what to do over IPC. */
import 'reflect-metadata';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import type { AddressInfo } from 'node:net';
import { SafeCloseModule } from 'nestjs-safe-close';
import type { WebSocket, WebSocketServer as Server } from 'ws';

/** What the bench asks of a server. */
export type Command =
  | {
      readonly do: 'push';
      readonly perClient: number;
      readonly bytes: number;
      readonly perTurn: number;
    }
  | { readonly do: 'broadcast'; readonly times: number; readonly bytes: number }
  | { readonly do: 'expect'; readonly messages: number }
  | { readonly do: 'cpu' };

@WebSocketGateway()
class BenchGateway {
  @WebSocketServer() readonly server!: Server;
  received = 0;
  expected = Number.POSITIVE_INFINITY;

  @SubscribeMessage('echo')
  echo(_client: WebSocket, data: unknown): unknown {
    return { event: 'echo', data };
  }

  @SubscribeMessage('sink')
  sink(): void {
    if (++this.received === this.expected) process.send!({ done: 'expect' });
  }
}

function moduleOf(stack: string): Type {
  @Module({
    imports: stack === 'safe' ? [SafeCloseModule.forRoot()] : [],
    providers: [BenchGateway],
  })
  class BenchModule {}
  return BenchModule;
}

function push(
  server: Server,
  { perClient, bytes, perTurn }: Extract<Command, { do: 'push' }>,
): void {
  const payload = 'x'.repeat(bytes);
  let left = perClient;
  const turn = (): void => {
    for (let count = Math.min(perTurn, left); count > 0; count--, left--) {
      for (const client of server.clients) client.send(payload);
    }
    if (left > 0) setImmediate(turn);
  };
  turn();
}

async function main(stack: string): Promise<void> {
  const app = await NestFactory.create(moduleOf(stack), { logger: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  const gateway = app.get(BenchGateway);
  process.on('message', (command: Command) => {
    if (command.do === 'push') push(gateway.server, command);
    else if (command.do === 'cpu') process.send!({ cpu: process.cpuUsage() });
    else if (command.do === 'expect') {
      gateway.received = 0;
      gateway.expected = command.messages;
      process.send!({ ready: true });
    } else {
      const payload = 'x'.repeat(command.bytes);
      for (let time = 0; time < command.times; time++) {
        for (const client of gateway.server.clients) client.send(payload);
      }
    }
  });
  process.send!({ port: (app.getHttpServer().address() as AddressInfo).port });
}

void main(process.argv[2] ?? 'safe');
