import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

export interface LimitsOptions {
  readonly maxConnections?: number | undefined;
  readonly maxConnectionsPerIp?: number | undefined;
}

const SERVICE_UNAVAILABLE = 503;
const TOO_MANY_REQUESTS = 429;

/** Why an upgrade finds no place. */
export interface NoPlace {
  readonly status: number;
  readonly why: string;
}

/**
 * The places that connections take, in all and for each address: from the moment their upgrade is
 * checked, so that those that wait to be authorised count, too, until their socket has closed.
 */
export class ConnectionLimits {
  readonly #options: LimitsOptions;
  readonly #addressOf: (request: IncomingMessage) => string;
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(options: LimitsOptions, addressOf: (request: IncomingMessage) => string) {
    this.#options = options;
    this.#addressOf = addressOf;
  }

  /** Addresses that hold a place. */
  get addresses(): number {
    return this.#taken.size;
  }

  /** Takes a place for as long as the socket lives; or says why there is none. */
  take(request: IncomingMessage, socket: Duplex): NoPlace | undefined {
    const { maxConnections = Infinity, maxConnectionsPerIp = Infinity } = this.#options;
    if (this.#total >= maxConnections) {
      const why = `limits.maxConnections ${maxConnections} is reached`;
      return { status: SERVICE_UNAVAILABLE, why };
    }
    const address = this.#addressOf(request);
    const taken = this.#taken.get(address) ?? 0;
    if (taken >= maxConnectionsPerIp) {
      const why = `limits.maxConnectionsPerIp ${maxConnectionsPerIp} is reached by ${address}`;
      return { status: TOO_MANY_REQUESTS, why };
    }
    // One that has closed already will not say so again.
    if (socket.destroyed) return undefined;
    this.#total++;
    this.#taken.set(address, taken + 1);
    socket.once('close', () => this.#free(address));
    return undefined;
  }

  #free(address: string): void {
    this.#total--;
    const taken = this.#taken.get(address)! - 1;
    if (taken > 0) this.#taken.set(address, taken);
    else this.#taken.delete(address);
  }
}

/** None where nothing is limited, so that nothing is counted. */
export function connectionLimits(
  options: LimitsOptions = {},
  addressOf: (request: IncomingMessage) => string,
): ConnectionLimits | undefined {
  const { maxConnections, maxConnectionsPerIp } = options;
  if (maxConnections === undefined && maxConnectionsPerIp === undefined) return undefined;
  return new ConnectionLimits(options, addressOf);
}
