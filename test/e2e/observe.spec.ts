import { afterEach, expect, test } from '@jest/globals';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { SafeCloseModule, SafeCloseService, type CloseOutcome } from '../../src/index.js';

/** Settled by the test, to hold a hook or handler as long as it likes. */
function gate(): { promise: Promise<void>; open: () => void } {
  let open!: () => void;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

let hook = gate();
let slow = gate();
let started = gate();

@WebSocketGateway()
class ObservedGateway {
  readonly sockets: WebSocket[] = [];

  async handleConnection(socket: WebSocket): Promise<void> {
    this.sockets.push(socket);
    await hook.promise;
  }

  @SubscribeMessage('echo')
  echo(_client: WebSocket, data: unknown): unknown {
    return { event: 'echo', data };
  }

  @SubscribeMessage('slow')
  async slow(_client: WebSocket, data: unknown): Promise<unknown> {
    started.open();
    await slow.promise;
    return { event: 'slow', data };
  }
}

@Module({
  imports: [SafeCloseModule.forRoot({ mode: 'observe' })],
  providers: [ObservedGateway],
})
class ObservedApp {}

let app: INestApplication;

async function connect(): Promise<{
  client: WebSocket;
  service: SafeCloseService;
  server: WebSocket;
}> {
  hook = gate();
  slow = gate();
  started = gate();
  app = await NestFactory.create(ObservedApp, { logger: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0);
  const { port } = app.getHttpServer().address() as AddressInfo;
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(client, 'open');
  const service = app.get(SafeCloseService);
  return { client, service, server: app.get(ObservedGateway).sockets.at(-1)! };
}

afterEach(() => app.close());

test('a handler runs before handleConnection has settled, as on the stock stack, and is counted', async () => {
  const { client, service } = await connect();
  client.send('{"event":"echo","data":1}');
  const [reply] = (await once(client, 'message')) as [Buffer];
  expect(reply.toString()).toBe('{"event":"echo","data":1}');
  expect(service.report().races['early-message']).toBe(1);
  hook.open();
});

test('a reply after close() is dropped, as on the stock stack, and is counted', async () => {
  const { client, service } = await connect();
  hook.open();
  const received: string[] = [];
  client.on('message', (data) => received.push((data as Buffer).toString()));
  client.send('{"event":"slow"}');
  await started.promise;
  const [connection] = [...service.connections];
  const closed = connection!.close(4001, 'bye');
  slow.open();
  const outcome: CloseOutcome = await closed;
  expect(received).toEqual([]);
  expect(outcome).toMatchObject({
    initiator: 'server',
    handshake: 'clean',
    code: 4001,
    reason: 'bye',
  });
  expect(service.report().races['reply-after-close']).toBe(1);
  expect(service.report().closes.byCode).toEqual({ 4001: 1 });
});

test('the first of several closers wins, as on the stock stack, and the others are counted', async () => {
  const { client, service, server } = await connect();
  hook.open();
  server.close(4000);
  server.close(1008, 'worse');
  server.send('too late');
  const [code] = (await once(client, 'close')) as [number];
  expect(code).toBe(4000);
  const { races } = service.report();
  expect(races).toMatchObject({
    'concurrent-close': 1,
    'superseded-code': 1,
    'send-after-close': 1,
  });
});

test('an invalid code throws at the caller, as ws does, and is counted', async () => {
  const { service, server } = await connect();
  hook.open();
  expect(() => server.close(999)).toThrow('valid error code');
  expect(service.report().races['invalid-close-arguments']).toBe(1);
  server.terminate();
});

test('the outcome of a peer that leaves carries its code', async () => {
  const { client, service } = await connect();
  hook.open();
  const [connection] = [...service.connections];
  client.close(3000, 'done');
  expect(await connection!.closed).toMatchObject({
    initiator: 'peer',
    handshake: 'clean',
    code: 3000,
  });
  expect(service.connections.size).toBe(0);
});

test('the service closes those that a target names, and sums up', async () => {
  const { client, service } = await connect();
  hook.open();
  const closed = once(client, 'close');
  expect(await service.closeWhere({}, 4000, 'bye')).toMatchObject({ targets: 1, clean: 1 });
  expect((await closed)[0]).toBe(4000);
});

test('the service sends, and tells what ws tells', async () => {
  const { client, service } = await connect();
  hook.open();
  const [connection] = [...service.connections];
  const message = once(client, 'message');
  expect(await connection!.emit('hello', 1)).toEqual({ status: 'written' });
  expect(String((await message)[0])).toBe('{"event":"hello","data":1}');
  const closed = connection!.close();
  expect(await connection!.send('late')).toEqual({ status: 'refused', cause: 'closing' });
  expect(connection!.post('late')).toBe(false);
  expect(await connection!.acknowledged()).toBe(false);
  expect((await closed).code).toBe(1000);
});
