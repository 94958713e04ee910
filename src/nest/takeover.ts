import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { IncomingMessage } from 'node:http';
import type { ConnectionPolicyValues } from '../runtime/connection.policy.js';
import type { Owner } from '../runtime/owner.js';
import { isWebSocket } from '../ws/base-members.js';
import { track } from '../ws/owned-websocket.js';
import { ownerOf } from '../ws/ownership.js';
import type { GatewayClass, OwnerMaker } from './gateway-hooks.js';
import { Gateways } from './gateways.js';
import type { SafeCloseEngine } from './safe-close.engine.js';
import { SAFE_CLOSE_ENGINE } from './safe-close.tokens.js';

/** Takes ownership of sockets that an adapter of the app has made (`installAdapter: false`). */
@Injectable()
export class Takeover implements OwnerMaker {
  readonly gateways: Gateways;
  readonly #engine: SafeCloseEngine;
  readonly #policies = new Map<GatewayClass, ConnectionPolicyValues>();

  constructor(
    @Inject(SAFE_CLOSE_ENGINE) engine: SafeCloseEngine,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.#engine = engine;
    this.gateways = new Gateways(modules);
  }

  /** By the interceptor; a client of another transport has no owner. */
  atMessage(client: unknown, gateway: GatewayClass): Owner | undefined {
    return ownerOf(client) ?? this.#own(client, gateway);
  }

  /** At the first hook; adapters call those of all gateways on one connection in one go. */
  atHook(
    client: unknown,
    gateway: GatewayClass,
    instance: object,
    request: unknown,
  ): Owner | undefined {
    if (!this.gateways.include(gateway, instance)) return undefined;
    const owner = this.#own(client, gateway, request);
    if (owner?.live) {
      owner.awaitReadiness();
      queueMicrotask(() => owner.sealReadiness());
    }
    return owner;
  }

  #own(client: unknown, gateway: GatewayClass, request?: unknown): Owner | undefined {
    if (this.#engine.options.mode === 'observe' || !isWebSocket(client)) return undefined;
    let policy = this.#policies.get(gateway);
    if (!policy) {
      policy = this.gateways.policyOf(gateway, this.#engine.policy);
      this.#policies.set(gateway, policy);
    }
    const upgrade = request instanceof IncomingMessage ? request : undefined;
    return track(client, this.#engine.runtime, policy, upgrade);
  }
}
