import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { WebSocketGateway } from '@nestjs/websockets';
import { expect, test } from '@jest/globals';
import { SafeCloseHealthIndicator } from '../../src/terminus/index.js';
import { afterTest } from '../support/cleanup.js';
import { WsClient } from '../support/clients/ws.client.js';
import { Echo } from '../nest/gateway.js';
import { host, type Hosted } from '../nest/hosting.js';

@WebSocketGateway()
class Room extends Echo {}

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(SafeCloseHealthIndicator) private readonly sockets: SafeCloseHealthIndicator,
  ) {}

  @Get('ready')
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.sockets.isHealthy('websockets', { connections: 2 })]);
  }
}

async function open(): Promise<Hosted> {
  return await host({
    imports: [TerminusModule],
    controllers: [HealthController],
    providers: [Room, SafeCloseHealthIndicator],
  });
}

async function ask({ port }: Hosted): Promise<{ status: number; details: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port}/ready`);
  const { details } = (await response.json()) as { details: { websockets: unknown } };
  return { status: response.status, details: details.websockets };
}

test('reports how full the server is, and is down where it is full', async () => {
  const hosted = await open();
  await WsClient.connect(hosted.url());
  const details = { draining: false, handlersInFlight: 0, bufferedBytes: 0 };
  expect(await ask(hosted)).toEqual({
    status: 200,
    details: { ...details, status: 'up', saturation: 0.5, connections: 1 },
  });
  await WsClient.connect(hosted.url());
  expect(await ask(hosted)).toEqual({
    status: 503,
    details: { ...details, status: 'down', saturation: 1, connections: 2 },
  });
});

function ownHook(): void {}

test('is down from the beginning of a drain, while everything else still works', async () => {
  const hosted = await open();
  const client = await WsClient.connect(hosted.url());
  // As Nest's own shutdown hooks do: a second signal ends the delay.
  process.on('SIGTERM', ownHook);
  afterTest(() => process.off('SIGTERM', ownHook));
  const drained = hosted.service.drain({ readinessDelay: 9_000 });
  expect(await ask(hosted)).toMatchObject({ status: 503, details: { draining: true } });
  client.emit('echo', 'still here');
  expect(await client.message(0)).toEqual({ event: 'echo', data: 'still here' });
  process.emit('SIGTERM');
  expect((await drained).durationMs).toBeLessThan(8_000);
  expect(process.listeners('SIGTERM')).toEqual([ownHook]);
});
