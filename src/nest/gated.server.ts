import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  WebSocketServer,
  type ServerOptions,
  type VerifyClientCallbackAsync,
  type WebSocket,
} from 'ws';
import { INTERNAL_ERROR } from '../core/close-code.js';
import { ownerOf } from '../ws/ownership.js';
import { PendingUpgrade } from './pending-upgrade.js';
import type { UpgradeGate } from './upgrade-gate.js';

type Accepted = (client: WebSocket, request: IncomingMessage) => void;

/** A server whose upgrades pass the gate, on a port of its own or behind another server. */
export class GatedServer extends WebSocketServer {
  readonly #gate: UpgradeGate;
  readonly #patience: number;

  /** @param patience - how long an upgrade may wait, in ms */
  constructor(options: ServerOptions, gate: UpgradeGate, patience: number) {
    super(withLateRefusal(options, gate));
    this.#gate = gate;
    this.#patience = patience;
  }

  override handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    accepted: Accepted,
  ): void {
    const pass = (): void => {
      super.handleUpgrade(request, socket, head, (client) => {
        try {
          accepted(client, request);
        } catch (error) {
          // A listener of the app has thrown, and those behind it, such as gateways, saw nobody.
          ownerOf(client)?.reject(INTERNAL_ERROR, '');
          throw error;
        }
      });
    };
    this.#gate.enter(new PendingUpgrade(request, socket, this.#patience, pass));
  }
}

/** The gate may have closed while an asynchronous `verifyClient` of the app was thinking. */
function withLateRefusal(options: ServerOptions, gate: UpgradeGate): ServerOptions {
  const { verifyClient } = options;
  // That is how ws tells it from a synchronous one.
  if (verifyClient?.length !== 2) return options;
  const verify: VerifyClientCallbackAsync = verifyClient;
  return {
    ...options,
    verifyClient(
      this: unknown,
      info: Parameters<typeof verify>[0],
      done: Parameters<typeof verify>[1],
    ) {
      verify.call(this, info, (verified, ...refusal) => {
        const headers = verified ? gate.refuseLate() : undefined;
        if (headers) done(false, 503, undefined, headers);
        else done(verified, ...refusal);
      });
    },
  };
}
