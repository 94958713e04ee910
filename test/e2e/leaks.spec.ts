import { expect, test } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import type { Server as HttpServer } from 'node:http';
import { interval, map } from 'rxjs';
import { WebSocket, type Server } from 'ws';
import { ConnectionRejectedException, type Connection } from '../../src/index.js';
import { startApp, type TestApp } from '../support/app.js';
import { afterTest } from '../support/cleanup.js';
import { nextMacrotask, within } from '../support/waiting.js';

declare const gc: () => void;

const CYCLES = 10_000;
const AT_ONCE = 50;
const MIB = 1024 * 1024;

/** The ways in which a connection of the test ends; each takes what the others don't. */
const ENDS = ['client', 'server', 'handler', 'terminated', 'reset', 'rejected'] as const;

type End = (typeof ENDS)[number];

@WebSocketGateway({ perMessageDeflate: false })
class Gate {
  @WebSocketServer()
  readonly server!: Server;
  open = 0;
  readonly refs: WeakRef<object>[] = [];
  /** Whether connections are remembered, weakly. */
  remembering = false;

  async handleConnection(client: WebSocket, request: { url: string }): Promise<void> {
    this.open++;
    if (this.remembering) this.refs.push(new WeakRef(client));
    await Promise.resolve();
    if (request.url === '/?rejected') throw new ConnectionRejectedException(4403, 'no');
  }

  handleDisconnect(): void {
    this.open--;
  }

  @SubscribeMessage('echo')
  async echo(_client: WebSocket, data: unknown): Promise<unknown> {
    await Promise.resolve();
    return { event: 'echo', data };
  }

  @SubscribeMessage('ticks')
  ticks(): unknown {
    return interval(60_000).pipe(map((tick) => ({ event: 'tick', tick })));
  }

  @SubscribeMessage('end')
  end(client: WebSocket, how: End): unknown {
    if (how === 'server') setImmediate(() => client.close(4000));
    if (how === 'terminated') setImmediate(() => client.terminate());
    if (how === 'handler') client.close(4001);
    return { event: 'ending' };
  }
}

/** One life of a connection, from the handshake to the end of both sockets. */
function live(url: string, end: End): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url}?${end}`, { perMessageDeflate: false });
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.on('open', () => {
      socket.send('{"event":"ticks"}');
      socket.send('{"event":"echo","data":"hello"}');
    });
    socket.once('message', () => {
      if (end === 'client') socket.close(1000);
      else if (end === 'reset') socket.terminate();
      else socket.send(JSON.stringify({ event: 'end', data: end }));
    });
  });
}

async function cycle(app: TestApp, cycles: number): Promise<void> {
  const url = app.url();
  for (let done = 0; done < cycles; done += AT_ONCE) {
    const lives = Array.from({ length: AT_ONCE }, (_, n) => live(url, ENDS[n % ENDS.length]!));
    await within(Promise.all(lives), 'connections to end');
  }
  const gate = app.gateway(Gate);
  // The server sees the end of a connection after its client.
  for (let turn = 0; turn < 1_000 && gate.open > 0; turn++) {
    await nextMacrotask();
  }
  expect(gate.open).toBe(0);
}

/** The heap without what could be collected. */
async function heapUsed(): Promise<number> {
  for (let round = 0; round < 6; round++) {
    gc();
    await nextMacrotask();
  }
  return process.memoryUsage().heapUsed;
}

function listeners(emitter: HttpServer | Server): Record<string, number> {
  return Object.fromEntries(
    emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]),
  );
}

/** What is held outside the heap's sight: handles, listeners and entries of maps. */
function held(app: TestApp, timers: Timers): unknown {
  const http = app.nest.getHttpServer() as HttpServer;
  const { server } = app.gateway(Gate);
  const resources = process.getActiveResourcesInfo();
  return {
    timers: timers.live.size,
    sockets: resources.filter((name) => name === 'TCPSocketWrap').length,
    http: listeners(http),
    server: listeners(server),
    process: process.eventNames().map((name) => [name, process.listenerCount(name as 'exit')]),
    clients: server.clients.size,
    connections: app.service.connections.size,
  };
}

interface Timers {
  /** How many were ever set. */
  set: number;
  readonly live: Set<unknown>;
}

/** Counts the timers of the app and its libraries, those that are unref'd, too, but not jest's. */
function countTimers(): Timers {
  const timers: Timers = { set: 0, live: new Set() };
  const { setTimeout, clearTimeout } = globalThis;
  const set = (callback: () => void, ms?: number): NodeJS.Timeout => {
    timers.set++;
    const timer = setTimeout(() => {
      timers.live.delete(timer);
      callback();
    }, ms);
    timers.live.add(timer);
    return timer;
  };
  const clear = (timer: NodeJS.Timeout): void => {
    timers.live.delete(timer);
    clearTimeout(timer);
  };
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  afterTest(() => Object.assign(globalThis, { setTimeout, clearTimeout }));
  return timers;
}

test('Ten thousand connections leave no timer, listener, entry or memory behind', async () => {
  const timers = countTimers();
  const app = await startApp({ gateways: [Gate] });
  await cycle(app, 500);
  const before = held(app, timers);
  await cycle(app, CYCLES / 2);
  const half = await heapUsed();
  await cycle(app, CYCLES / 2);
  const grown = (await heapUsed()) - half;
  expect(held(app, timers)).toEqual(before);
  expect(timers.set).toBeGreaterThan(CYCLES);
  expect(grown).toBeLessThan(MIB);
  const { connections, races } = app.service.report();
  expect(connections).toEqual({ opened: CYCLES + 500, open: 0, closed: CYCLES + 500 });
  expect(races).toMatchObject({ 'illegal-event': 0, 'transport-stuck': 0, 'listener-error': 0 });
}, 240_000);

test('Nothing of a connection that has ended can be reached', async () => {
  const app = await startApp({ gateways: [Gate] });
  const gate = app.gateway(Gate);
  gate.remembering = true;
  const owners: WeakRef<Connection>[] = [];
  app.service.events$.subscribe((event) => {
    if (event.type !== 'opened') return;
    owners.push(new WeakRef(app.service.connection(event.connectionId)!));
  });
  await cycle(app, 300);
  gate.remembering = false;
  // What the last connection has left on some stack or in some cache is let go by others.
  await cycle(app, 100);
  const left = (): number =>
    [...gate.refs, ...owners.slice(0, 300)].filter((ref) => ref.deref() !== undefined).length;
  for (let round = 0; round < 20 && left() > 0; round++) {
    await heapUsed();
  }
  expect(gate.refs).toHaveLength(300);
  expect(owners).toHaveLength(400);
  expect(left()).toBe(0);
});
