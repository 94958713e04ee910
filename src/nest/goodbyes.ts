import type { WebSocket } from 'ws';
import type { RaceDetail } from '../runtime/lifecycle.observer.js';
import type { OnGatewayDrain } from './on-gateway-drain.js';

/** The gateways of a client, as instances. */
type GatewaysOf = () => readonly object[];

function saysGoodbye(gateway: object): gateway is OnGatewayDrain {
  return 'handleDrain' in gateway && typeof gateway.handleDrain === 'function';
}

/** Calls `handleDrain` of every gateway of a client, once, before the server closes it. */
export class Goodbyes {
  readonly #clients = new WeakMap<object, { client: WebSocket; gateways: GatewaysOf }>();

  constructor(private readonly tell: (connectionId: string, detail: RaceDetail) => void) {}

  bind(connection: object, client: WebSocket, gateways: GatewaysOf): void {
    if (gateways().some(saysGoodbye)) this.#clients.set(connection, { client, gateways });
  }

  /** A promise where a gateway takes its time; it does not reject. */
  say(connection: { readonly id: string }): void | Promise<unknown> {
    const bound = this.#clients.get(connection);
    if (!bound) return undefined;
    const pending: Promise<void>[] = [];
    for (const gateway of bound.gateways().filter(saysGoodbye)) {
      const failed = (error: unknown): void => this.#tell(connection.id, gateway, error);
      try {
        const result: unknown = gateway.handleDrain(bound.client);
        if (result instanceof Promise) pending.push(result.catch(failed));
      } catch (error) {
        failed(error);
      }
    }
    return pending.length > 0 ? Promise.all(pending) : undefined;
  }

  #tell(connectionId: string, gateway: object, error: unknown): void {
    const message = `handleDrain of ${gateway.constructor.name} failed.`;
    this.tell(connectionId, { message, error });
  }
}
