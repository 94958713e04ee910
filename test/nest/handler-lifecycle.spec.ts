import { describe, expect, test } from '@jest/globals';
import { UseInterceptors, type Type } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { map, Observable, of, Subject } from 'rxjs';
import type { WebSocket } from 'ws';
import {
  Conflate,
  ConnectionClosingError,
  ConnectionLifecycleInterceptor,
  ConnectionRejectedException,
  ConnectionSignal,
  CurrentConnection,
  inStep,
  Serial,
  type Connection,
  type SafeCloseOptions,
} from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { deferred, nextMacrotask, Tally, within } from '../support/waiting.js';
import { host, type Hosted } from './hosting.js';

/** Handlers of every kind, and hooks that a test lets go. */
class Handlers {
  readonly arrivals = new Tally<WebSocket>();
  readonly departures = new Tally();
  readonly started = new Tally<string>();
  readonly signals = new Tally<AbortSignal>();
  readonly subject = new Subject<unknown>();
  readonly unsubscribed = new Tally();
  admission: Promise<unknown> | undefined;
  gate = deferred();

  async handleConnection(client: WebSocket): Promise<void> {
    this.arrivals.add(client);
    await this.admission;
  }

  handleDisconnect(): void {
    this.departures.add();
  }

  @SubscribeMessage('sync')
  sync(_client: WebSocket, data: unknown): unknown {
    this.started.add('sync');
    return { event: 'sync', data };
  }

  @SubscribeMessage('async')
  async async(_client: WebSocket, data: unknown): Promise<unknown> {
    this.started.add('async');
    await this.gate.promise;
    return { event: 'async', data };
  }

  @SubscribeMessage('several')
  several(): Observable<unknown> {
    return of(1, 2, 3);
  }

  @SubscribeMessage('stream')
  stream(): Observable<unknown> {
    this.started.add('stream');
    return new Observable((subscriber) => {
      const subscription = this.subject.subscribe(subscriber);
      return () => {
        subscription.unsubscribe();
        this.unsubscribed.add();
      };
    });
  }

  @SubscribeMessage('late stream')
  async lateStream(): Promise<Observable<unknown>> {
    this.started.add('late stream');
    await this.gate.promise;
    return this.stream();
  }

  @SubscribeMessage('nothing')
  nothing(): void {
    this.started.add('nothing');
  }

  @SubscribeMessage('close and reply')
  closeAndReply(client: WebSocket): unknown {
    client.close(4000, 'bye');
    return { event: 'last words' };
  }

  @SubscribeMessage('close, then reply')
  async closeThenReply(client: WebSocket): Promise<unknown> {
    client.close(4000, 'bye');
    await Promise.resolve();
    return { event: 'last words' };
  }

  @SubscribeMessage('signal')
  signal(@ConnectionSignal() signal: AbortSignal): Promise<unknown> {
    this.signals.add(signal);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ event: 'too late' }), { once: true });
    });
  }

  @SubscribeMessage('id')
  id(@CurrentConnection() connection: Connection): unknown {
    return { event: 'id', data: connection.id };
  }

  @SubscribeMessage('fail')
  fail(): never {
    throw new WsException('no');
  }

  @SubscribeMessage('values')
  async *values(_client: WebSocket, count: number): AsyncGenerator {
    for (let data = 0; data < count; data++) yield { event: 'value', data };
  }

  @SubscribeMessage('values that fail')
  async *failing(): AsyncGenerator {
    yield { event: 'value', data: 0 };
    throw new WsException('no more');
  }

  @SubscribeMessage('values in step')
  inStep(@CurrentConnection() connection: Connection): Observable<unknown> {
    return inStep(connection, [1, 2, 3]).pipe(map((data) => ({ event: 'value', data })));
  }

  @Serial()
  @SubscribeMessage('in turn')
  async inTurn(_client: WebSocket, data: number): Promise<unknown> {
    this.started.add(`in turn ${data}`);
    if (data === 0) await this.gate.promise;
    return { event: 'in turn', data };
  }

  @Conflate('cursor')
  @SubscribeMessage('cursor')
  cursor(_client: WebSocket, data: number): unknown {
    this.started.add(`cursor ${data}`);
    return { event: 'cursor', data };
  }

  @SubscribeMessage('fail later')
  async failLater(): Promise<never> {
    this.started.add('fail later');
    await this.gate.promise;
    throw new WsException('no');
  }
}

@WebSocketGateway()
class Plain extends Handlers {}

@WebSocketGateway()
@UseInterceptors(ConnectionLifecycleInterceptor)
class Intercepted extends Handlers {}

class AppsOwnAdapter extends WsAdapter {}

interface Route {
  readonly name: string;
  readonly gateway: Type<Handlers>;
  readonly options: SafeCloseOptions;
  readonly adapter: typeof WsAdapter;
}

const routes: Route[] = [
  { name: 'our adapter', gateway: Plain, options: {}, adapter: WsAdapter },
  {
    name: 'the interceptor on an adapter of the app',
    gateway: Intercepted,
    options: { installAdapter: false },
    adapter: AppsOwnAdapter,
  },
  {
    name: 'the interceptor beside our adapter',
    gateway: Intercepted,
    options: {},
    adapter: WsAdapter,
  },
];

async function connectionOf(hosted: Hosted, handlers: Handlers): Promise<Connection> {
  const socket = await handlers.arrivals.at(0, 'connection accepted');
  return hosted.service.connection(socket)!;
}

describe.each(routes)('Handlers of a connection, by $name', ({ gateway, options, adapter }) => {
  async function start(
    prepare: (gateway: Handlers) => void = () => {},
    more: SafeCloseOptions = {},
  ): Promise<{ hosted: Hosted; gateway: Handlers; client: WsClient }> {
    const hosted = await host({
      providers: [gateway],
      safeClose: { ...options, ...more },
      prepare: (app) => {
        app.useWebSocketAdapter(new adapter(app));
        prepare(app.get(gateway));
      },
    });
    const client = await WsClient.connect(hosted.url());
    return { hosted, gateway: hosted.get(gateway), client };
  }

  test('Replies reach the client, whether they are values, promises or Observables', async () => {
    const { client, gateway: handlers } = await start();
    handlers.gate.resolve();
    client.emit('sync', 1);
    client.emit('async', 2);
    client.emit('several');
    client.emit('nothing');
    await client.messages.reached(5, 'reply');
    expect(client.messages.all.toSorted()).toEqual([
      '1',
      '2',
      '3',
      '{"event":"async","data":2}',
      '{"event":"sync","data":1}',
    ]);
  });

  test('No handler runs before handleConnection has settled, and all run in order then', async () => {
    const admission = deferred();
    const {
      hosted,
      gateway: handlers,
      client,
    } = await start((g) => {
      g.admission = admission.promise;
    });
    const read = new Tally();
    const socket = await handlers.arrivals.at(0, 'connection accepted');
    socket.on('message', () => read.add());
    for (let n = 0; n < 20; n++) client.emit('sync', n);
    await read.reached(20, 'message read by the server');
    await nextMacrotask();
    expect(handlers.started.count).toBe(0);
    admission.resolve();
    await client.messages.reached(20, 'reply');
    expect(client.dataOf('sync')).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(hosted.service.report().races['early-message']).toBe(20);
  });

  test('A rejection in handleConnection closes with its code, and no handler ever runs', async () => {
    const admission = deferred<never>();
    const {
      hosted,
      gateway: handlers,
      client,
    } = await start((g) => {
      g.admission = admission.promise.then(() => {
        throw new ConnectionRejectedException(4401, 'who are you?');
      });
    });
    const read = new Tally();
    const socket = await handlers.arrivals.at(0, 'connection accepted');
    socket.on('message', () => read.add());
    client.emit('sync');
    await read.reached(1, 'message read by the server');
    admission.resolve(undefined as never);
    expect(await client.closed()).toEqual({ code: 4401, reason: 'who are you?' });
    expect(handlers.started.count).toBe(0);
    expect(hosted.service.report().races).toMatchObject({
      'message-after-close': 1,
      'hook-rejection': 0,
    });
  });

  test.each(['close and reply', 'close, then reply'])(
    'What a handler replies in the macrotask of its own close still goes out (%s)',
    async (event) => {
      const { hosted, client } = await start();
      client.emit(event);
      expect(await client.closed()).toEqual({ code: 4000, reason: 'bye' });
      expect(client.events).toEqual([{ event: 'last words' }]);
      expect(hosted.service.report()).toMatchObject({ refusedReplies: 0 });
    },
  );

  test('A reply that comes after a close is refused, counted and told in the outcome', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('async', 1);
    client.emit('async', 2);
    await handlers.started.reached(2, 'handler started');
    const connection = await connectionOf(hosted, handlers);
    expect(connection.inFlight).toBe(2);
    const closed = connection.close(4000);
    await nextMacrotask();
    handlers.gate.resolve();
    const outcome = await within(closed, 'the outcome');
    await client.closed();
    expect(client.messages.count).toBe(0);
    expect(outcome.refusedReplies).toBe(2);
    expect(connection.inFlight).toBe(0);
  });

  test('A close by "finish" lets handlers reply first', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('async', 1);
    client.emit('async', 2);
    await handlers.started.reached(2, 'handler started');
    const connection = await connectionOf(hosted, handlers);
    const closed = connection.close(4000, '', { handlers: 'finish' });
    await nextMacrotask();
    handlers.gate.resolve();
    const outcome = await within(closed, 'the outcome');
    expect(await client.closed()).toMatchObject({ code: 4000 });
    expect(client.dataOf('async')).toEqual([1, 2]);
    expect(outcome).toMatchObject({ refusedReplies: 0, lost: 0, written: 2 });
  });

  test('Once a close has begun no new handler starts', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('async');
    await handlers.started.reached(1, 'handler started');
    const connection = await connectionOf(hosted, handlers);
    const socket = await handlers.arrivals.at(0, 'connection accepted');
    const read = new Tally();
    socket.on('message', () => read.add());
    const closed = connection.close(4000, '', { handlers: 'finish' });
    for (let n = 0; n < 5; n++) client.emit('sync', n);
    await read.reached(5, 'message read by the server');
    await nextMacrotask();
    handlers.gate.resolve();
    await within(closed, 'the outcome');
    expect(handlers.started.all).toEqual(['async']);
    expect(hosted.service.report().races['message-after-close']).toBe(5);
  });

  test('A close unsubscribes the Observables of handlers at once', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('stream');
    await handlers.started.reached(1, 'handler started');
    await nextMacrotask();
    handlers.subject.next({ event: 'tick' });
    await client.messages.reached(1, 'message received');
    const connection = await connectionOf(hosted, handlers);
    const closed = connection.close();
    await handlers.unsubscribed.reached(1, 'Observable unsubscribed');
    expect(handlers.subject.observed).toBe(false);
    handlers.subject.next({ event: 'tick' });
    const outcome = await within(closed, 'the outcome');
    expect(outcome).toMatchObject({ code: 1000, refusedReplies: 1 });
    expect(client.messages.count).toBe(1);
    expect(hosted.service.report().races['stream-cut']).toBe(1);
  });

  test('An Observable that comes after a close is told, and is not left subscribed', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('late stream');
    await handlers.started.reached(1, 'handler started');
    const connection = await connectionOf(hosted, handlers);
    const closed = connection.close();
    await nextMacrotask();
    handlers.gate.resolve();
    const outcome = await within(closed, 'the outcome');
    await nextMacrotask();
    expect(outcome.refusedReplies).toBe(1);
    expect(handlers.subject.observed).toBe(false);
  });

  test('A handler has a signal, which aborts as its reply becomes impossible', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('signal');
    const signal = await handlers.signals.at(0, 'signal');
    expect(signal.aborted).toBe(false);
    const connection = await connectionOf(hosted, handlers);
    const closed = connection.close();
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(ConnectionClosingError);
    await within(closed, 'the outcome');
    expect(client.dataOf('too late')).toEqual([]);
  });

  test('A peer that leaves aborts the handlers that run for it', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('async');
    client.emit('stream');
    await handlers.started.reached(2, 'handler started');
    const connection = await connectionOf(hosted, handlers);
    const { signal } = connection;
    client.close(4001, 'off');
    const outcome = await within(connection.closed, 'the outcome');
    handlers.gate.resolve();
    expect(outcome).toMatchObject({
      initiator: 'peer',
      handshake: 'clean',
      code: 4001,
      refusedReplies: 2,
    });
    expect(signal.aborted).toBe(true);
    expect(handlers.subject.observed).toBe(false);
    await handlers.departures.reached(1, 'handleDisconnect called');
  });

  test('A handler gets the connection that its message came by', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('id');
    const connection = await connectionOf(hosted, handlers);
    expect(await client.message(0)).toEqual({ event: 'id', data: connection.id });
    expect([...hosted.service.connections]).toEqual([connection]);
  });

  test('An exception of a handler reaches the client, and later messages still do, too', async () => {
    const { client } = await start();
    client.emit('fail');
    expect(await client.message(0)).toMatchObject({
      event: 'exception',
      data: { status: 'error', message: 'no' },
    });
    client.emit('sync', 1);
    expect(await client.message(1)).toEqual({ event: 'sync', data: 1 });
  });

  test('An exception after a close is refused', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('fail later');
    await handlers.started.reached(1, 'handler started');
    const connection = await connectionOf(hosted, handlers);
    const closed = connection.close();
    await nextMacrotask();
    handlers.gate.resolve();
    await within(closed, 'the outcome');
    await client.closed();
    expect(client.messages.count).toBe(0);
  });

  test('handleDisconnect runs once, and the connection is forgotten', async () => {
    const { hosted, gateway: handlers, client } = await start();
    client.emit('sync');
    await client.messages.reached(1, 'reply');
    client.close();
    await handlers.departures.reached(1, 'handleDisconnect called');
    await nextMacrotask();
    expect(handlers.departures.count).toBe(1);
    expect(hosted.service.connections.size).toBe(0);
    expect(hosted.service.report().connections).toEqual({ opened: 1, open: 0, closed: 1 });
  });

  test('handleConnection that never settles ends in 1013', async () => {
    const {
      hosted,
      gateway: handlers,
      client,
    } = await start(
      (g) => {
        g.admission = new Promise(() => {});
      },
      { connect: { timeout: 50 }, handlers: { settleTimeout: 100 } },
    );
    client.emit('sync');
    expect(await client.closed()).toMatchObject({ code: 1013 });
    expect(handlers.started.count).toBe(0);
    expect(hosted.logs.matching('warn', 'ready-timeout')[0]?.text).toContain(gateway.name);
  });

  test('Serial handlers run one after the other, concurrent ones beside them', async () => {
    const { client, gateway: handlers } = await start();
    for (const n of [0, 1, 2]) client.emit('in turn', n);
    client.emit('sync', 'beside');
    await client.messages.reached(1, 'reply');
    expect(handlers.started.all).toEqual(['in turn 0', 'sync']);
    handlers.gate.resolve();
    await client.messages.reached(4, 'reply');
    expect(client.messages.all.slice(1)).toEqual(
      [0, 1, 2].map((data) => JSON.stringify({ event: 'in turn', data })),
    );
  });

  test('By policy all handlers are serial', async () => {
    const { client, gateway: handlers } = await start(() => {}, { handlers: { order: 'serial' } });
    client.emit('async', 1);
    client.emit('sync', 2);
    await handlers.started.reached(1, 'handler');
    await nextMacrotask();
    handlers.gate.resolve();
    await client.messages.reached(2, 'reply');
    expect(client.messages.all).toEqual([
      '{"event":"async","data":1}',
      '{"event":"sync","data":2}',
    ]);
  });

  test('No more handlers run at once than may', async () => {
    const {
      hosted,
      client,
      gateway: handlers,
    } = await start(() => {}, {
      handlers: { maxInFlight: 2 },
    });
    for (const n of [1, 2, 3, 4, 5]) client.emit('async', n);
    const connection = await connectionOf(hosted, handlers);
    await handlers.started.reached(2, 'handler');
    client.emit('sync');
    await nextMacrotask();
    expect(connection.inFlight).toBe(2);
    handlers.gate.resolve();
    await client.messages.reached(6, 'reply');
    expect(handlers.started.all).toEqual([...Array<string>(5).fill('async'), 'sync']);
  });

  test('No more messages a second start a handler than may, and none is lost', async () => {
    const { hosted, client } = await start(() => {}, { limits: { messagesPerSecond: 20 } });
    const since = performance.now();
    for (let n = 0; n < 30; n++) client.emit('sync', n);
    await client.messages.reached(30, 'reply');
    expect(performance.now() - since).toBeGreaterThan(400);
    expect(client.messages.all.map((text) => (JSON.parse(text) as { data: number }).data)).toEqual(
      Array.from({ length: 30 }, (_, n) => n),
    );
    expect(hosted.service.report().races['rate-limited']).toBeGreaterThan(0);
  });

  test('Handlers that wait for their turn never start once a close has begun', async () => {
    const { hosted, client, gateway: handlers } = await start();
    for (const n of [0, 1, 2]) client.emit('in turn', n);
    await handlers.started.reached(1, 'handler');
    const connection = await connectionOf(hosted, handlers);
    const closed = connection.close(4000);
    handlers.gate.resolve();
    await closed;
    expect(handlers.started.all).toEqual(['in turn 0']);
    expect(hosted.service.report().races['message-after-close']).toBe(2);
  });

  test('What an async generator gives are replies', async () => {
    const { client } = await start();
    client.emit('values', 3);
    await client.messages.reached(3, 'value');
    expect(client.messages.all).toEqual(
      [0, 1, 2].map((data) => JSON.stringify({ event: 'value', data })),
    );
  });

  test('An error of an async generator reaches the client as an exception', async () => {
    const { client } = await start();
    client.emit('values that fail');
    expect(await client.messages.at(1, 'exception')).toBe(
      '{"event":"exception","data":{"status":"error","message":"no more"}}',
    );
  });

  test('Values may come in step through operators', async () => {
    const { client } = await start();
    client.emit('values in step');
    await client.messages.reached(3, 'value');
    expect(client.messages.all).toEqual(
      [1, 2, 3].map((data) => JSON.stringify({ event: 'value', data })),
    );
  });

  test('Conflated replies give way to newer ones while the reader is behind', async () => {
    const {
      hosted,
      client,
      gateway: handlers,
    } = await start(() => {}, {
      send: { maxBuffered: Infinity },
    });
    const socket = await handlers.arrivals.at(0, 'connection accepted');
    client.socket.pause();
    for (let n = 0; n < 40; n++) socket.send('x'.repeat(512 * 1024));
    for (const n of [1, 2, 3]) client.emit('cursor', n);
    await handlers.started.reached(3, 'handler');
    await nextMacrotask();
    expect(hosted.service.report().sends.dropped).toBe(2);
    client.socket.resume();
    expect(await client.messages.at(40, 'cursor')).toBe('{"event":"cursor","data":3}');
  });
});
