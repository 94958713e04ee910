import { expect } from '@jest/globals';
import {
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  type ArgumentsHost,
  type CanActivate,
} from '@nestjs/common';
import {
  BaseWsExceptionFilter,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
} from '@nestjs/websockets';
import { throwError, type Observable } from 'rxjs';
import type { WebSocket } from 'ws';
import { startApp } from '../../support/app.js';
import { WhatwgClient } from '../../support/clients/whatwg.client.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { nextMacrotask } from '../../support/waiting.js';

class TaggingFilter extends BaseWsExceptionFilter {
  override catch(_exception: unknown, host: ArgumentsHost): void {
    // oxlint-disable-next-line promise/valid-params
    super.catch(new WsException('tagged by the filter'), host);
  }
}

class NobodyMay implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@WebSocketGateway()
class Faulty extends Reception {
  @SubscribeMessage('known')
  known(): void {
    throw new WsException('out of stock');
  }

  @SubscribeMessage('object')
  object(): void {
    throw new WsException({ status: 'error', article: 7 });
  }

  @SubscribeMessage('internal')
  internal(): void {
    throw new Error('no route to database at 10.0.0.7');
  }

  @SubscribeMessage('later')
  async later(): Promise<void> {
    await Promise.resolve();
    throw new Error('no route to database at 10.0.0.7');
  }

  @SubscribeMessage('stream')
  stream(): Observable<never> {
    return throwError(() => new WsException('out of stock'));
  }

  @UseFilters(TaggingFilter)
  @SubscribeMessage('filtered')
  filtered(): void {
    throw new Error('no route to database at 10.0.0.7');
  }

  @UseGuards(NobodyMay)
  @SubscribeMessage('guarded')
  guarded(): unknown {
    return { event: 'guarded' };
  }

  /** Answers after all that was asked before it, so that a missing answer is seen. */
  @SubscribeMessage('fine')
  async fine(_client: WebSocket, data: unknown): Promise<unknown> {
    await nextMacrotask();
    return { event: 'fine', data };
  }
}

@Injectable({ scope: Scope.REQUEST })
class UnreachableDatabase {
  constructor() {
    throw new Error('no route to database at 10.0.0.7');
  }
}

@WebSocketGateway()
class PerConnection {
  constructor(private readonly database: UnreachableDatabase) {}

  handleConnection(): void {
    void this.database;
  }

  // Without it, the stock process ends when the client leaves; see process.spec.ts.
  handleDisconnect(): void {}

  @SubscribeMessage('fine')
  fine(): unknown {
    return { event: 'fine' };
  }
}

const EXPECTED = {
  known: { status: 'error', message: 'out of stock' },
  object: { status: 'error', article: 7 },
  internal: { status: 'error', message: 'Internal server error' },
  later: { status: 'error', message: 'Internal server error' },
  stream: { status: 'error', message: 'out of stock' },
  guarded: { status: 'error', message: 'Forbidden resource' },
  filtered: { status: 'error', message: 'tagged by the filter' },
};

for (const [event, data] of Object.entries(EXPECTED)) {
  race(
    `an error of a handler reaches the client through the exception filter ("${event}"), and the connection lives on`,
    // Nest 11's filters emit it on the server's own socket.
    { guarantee: 'G1', stock: { 11: 'fails', 12: 'passes' } },
    async () => {
      const app = await startApp({ gateways: [Faulty] });
      const client = await WhatwgClient.connect(app.url());
      client.emit(event, 'the question');
      client.emit('fine', 1);
      const told = await client.message(0);
      expect(told).toMatchObject({ event: 'exception', data });
      expect(JSON.stringify(told)).not.toMatch(/10\.0\.0\.7|headers|sec-websocket/i);
      expect(await client.message(1)).toEqual({ event: 'fine', data: 1 });
    },
  );
}

race(
  'an exception frame goes before the close frame of a handler that closes and throws',
  { guarantee: 'G1', stock: 'fails' },
  async () => {
    @WebSocketGateway()
    class Quitter {
      @SubscribeMessage('quit')
      quit(client: WebSocket): void {
        client.close(1008, 'misused');
        throw new WsException('misused');
      }
    }
    const app = await startApp({ gateways: [Quitter] });
    const client = await WsClient.connect(app.url());
    client.emit('quit');
    expect(await client.closed()).toEqual({ code: 1008, reason: 'misused' });
    expect(client.events).toMatchObject([{ event: 'exception', data: { message: 'misused' } }]);
  },
);

race(
  'a dependency that fails in a request-scoped gateway tells the client nothing of the upgrade request',
  { guarantee: 'G6', stock: 'fails', nest: 12 },
  async () => {
    const app = await startApp({
      gateways: [PerConnection],
      providers: [UnreachableDatabase],
      options: { connect: { timeout: 300 } },
    });
    const client = await WsClient.connect(app.url());
    const told = await client.message(0);
    expect(told).toMatchObject({
      event: 'exception',
      data: { status: 'error', message: 'Internal server error' },
    });
    expect(Object.keys(told.data as object).toSorted()).toEqual(['cause', 'message', 'status']);
    expect(JSON.stringify(told)).not.toMatch(/10\.0\.0\.7|headers|sec-websocket/i);
    expect((await client.closed()).code).toBe(1013);
  },
);

race(
  'a request-scoped gateway, which Nest 11 makes without its dependencies, is refused at boot',
  { guarantee: 'G6', stock: 'fails', nest: 11 },
  async () => {
    const booted = startApp({ gateways: [PerConnection], providers: [UnreachableDatabase] });
    const how = await booted.then(
      () => 'booted',
      (error: { code?: string }) => error.code,
    );
    expect(how).toBe('ERR_REQUEST_SCOPED_GATEWAY');
  },
);

race(
  'bad JSON, unknown events and frames without one harm nothing, and each is counted',
  { guarantee: 'G13', stock: 'untold' },
  async () => {
    const app = await startApp({ gateways: [Faulty] });
    const client = await WsClient.connect(app.url());
    client.text('{"event":');
    client.text('');
    client.emit('nobody subscribes to this');
    client.text('{"data":1}');
    client.text('[1,2,3]');
    client.text('"text"');
    client.text('null');
    client.emit('fine', 1);
    expect(await client.message(0)).toEqual({ event: 'fine', data: 1 });
    expect(app.met('unreadable-message')).toBe(3);
    expect(app.met('unknown-event')).toBe(4);
  },
);
