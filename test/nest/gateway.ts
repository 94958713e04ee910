import type { Type } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { Tally } from '../support/waiting.js';

/** What most tests here need of a gateway: it echoes, and keeps who came and what it got. */
export class Echo {
  readonly arrivals = new Tally<WebSocket>();
  readonly departures = new Tally<WebSocket>();
  readonly heard = new Tally<unknown>();

  handleConnection(client: WebSocket): unknown {
    this.arrivals.add(client);
    return undefined;
  }

  handleDisconnect(client: WebSocket): unknown {
    this.departures.add(client);
    return undefined;
  }

  @SubscribeMessage('echo')
  echo(_client: WebSocket, data: unknown): unknown {
    this.heard.add(data);
    return { event: 'echo', data };
  }
}

/** A gateway class made for one test, on the given port and with the given options. */
export function gatewayOf<T extends Type<object>>(
  Base: T,
  port = 0,
  options: Record<string, unknown> = {},
): T {
  const Made = class extends (Base as Type<object>) {};
  Object.defineProperty(Made, 'name', { value: `${Base.name}Of${port || 'App'}` });
  if (port) WebSocketGateway(port, options)(Made);
  else WebSocketGateway(options)(Made);
  return Made as T;
}
