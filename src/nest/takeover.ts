import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { IncomingMessage } from 'node:http';
import type { Owner } from '../runtime/owner.js';
import { isWebSocket } from '../ws/base-members.js';
import { track } from '../ws/owned-websocket.js';
import { ownerOf } from '../ws/ownership.js';
import type { GatewayClass, OwnerMaker } from './gateway-hooks.js';
import { Gateways, type ServerGateways } from './gateways.js';
import type { SafeCloseEngine } from './safe-close.engine.js';
import { SAFE_CLOSE_ENGINE } from './safe-close.tokens.js';
import { bindSession, type ExpiresAt } from './session.binding.js';

/** Takes ownership of sockets that an adapter of the app has made (`installAdapter: false`). */
@Injectable()
export class Takeover implements OwnerMaker {
  readonly gateways: Gateways;
  readonly #engine: SafeCloseEngine;
  readonly #servers = new Map<GatewayClass, ServerGateways>();

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
    let gateways = this.#servers.get(gateway);
    if (!gateways) {
      gateways = this.gateways.beside(gateway, this.#engine.policy);
      this.#servers.set(gateway, gateways);
    }
    const { runtime, options, goodbyes, addressOf } = this.#engine;
    const upgrade = request instanceof IncomingMessage ? request : undefined;
    const known = ownerOf(client);
    if (known) return known;
    const ip = upgrade && addressOf(upgrade);
    const owner = track(client, runtime, gateways.policy, upgrade, ip);
    goodbyes.bind(owner, client, gateways.instances);
    if (upgrade) {
      const expiresAt = gateways.policy.session.expiresAt as ExpiresAt | undefined;
      bindSession(owner, client, upgrade, { identity: options.identity, expiresAt });
    }
    return owner;
  }
}
