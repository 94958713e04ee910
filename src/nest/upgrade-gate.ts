import type { Clock } from '../runtime/clock.js';
import type { RaceDetail } from '../runtime/lifecycle.observer.js';
import { originCheck } from './allowed.origins.js';
import type { ConnectionLimits } from './connection.limits.js';
import type { PendingUpgrade } from './pending-upgrade.js';
import type { SafeCloseOptions } from './safe-close.options.js';
import { authorization, SWITCHING_PROTOCOLS } from './upgrade.authorization.js';

const FORBIDDEN = 403;
const TOO_MANY_REQUESTS = 429;
const SERVICE_UNAVAILABLE = 503;
/** Statuses after which a client may try again. */
const RETRY: ReadonlySet<number> = new Set([TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE]);
const DRAINING = 'the server drains';

type GateRace = 'upgrade-refused' | 'authorize-failure' | 'listener-error';

export interface UpgradeGateParts {
  readonly authorize: SafeCloseOptions['authorize'] | undefined;
  readonly allowedOrigins: SafeCloseOptions['allowedOrigins'] | undefined;
  readonly limits?: ConnectionLimits | undefined;
  readonly clock: Clock;
  /** In ms; told in whole seconds. */
  readonly retryAfter: number;
  readonly tell: (race: GateRace, detail: RaceDetail) => void;
}

/**
 * What every upgrade that is ours passes before it becomes a connection, whichever server it
 * reached. Upgrades wait until the app is up: a gateway on a port of its own listens before that.
 * With nothing to wait for, they pass in the turn in which they came.
 */
export class UpgradeGate {
  readonly #clock: Clock;
  readonly #tell: UpgradeGateParts['tell'];
  readonly #authorize: ReturnType<typeof authorization> | undefined;
  readonly #limits: ConnectionLimits | undefined;
  readonly #isAllowed: ReturnType<typeof originCheck> | undefined;
  readonly #retryLater: Readonly<Record<string, string>>;
  /** In the order in which they came. */
  readonly #waiting = new Set<PendingUpgrade>();
  #phase: 'starting' | 'open' | 'refusing' = 'starting';

  constructor({ clock, retryAfter, authorize, allowedOrigins, limits, tell }: UpgradeGateParts) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tell = tell;
    if (allowedOrigins) this.#isAllowed = originCheck(allowedOrigins);
    if (authorize) {
      this.#authorize = authorization(authorize, (detail) => tell('authorize-failure', detail));
    }
    this.#retryLater = { 'Retry-After': String(Math.ceil(retryAfter / 1000)) };
  }

  enter(upgrade: PendingUpgrade): void {
    if (this.#phase === 'refusing') this.#refuse(upgrade, SERVICE_UNAVAILABLE, DRAINING);
    else if (this.#phase === 'starting') this.#wait(upgrade);
    else this.#check(upgrade);
  }

  /** The app is up: those who wait pass in the order in which they came. */
  release(): void {
    if (this.#phase !== 'starting') return;
    this.#phase = 'open';
    for (const upgrade of this.#waiting) this.#later(upgrade, () => this.#check(upgrade));
  }

  /** From now on, and those who wait, too: 503. */
  refuse(): void {
    this.#phase = 'refusing';
    for (const upgrade of this.#waiting) this.#refuse(upgrade, SERVICE_UNAVAILABLE, DRAINING);
  }

  /** For an upgrade that ws itself has let wait: the headers of the 503 that it must get now. */
  refuseLate(): Readonly<Record<string, string>> | undefined {
    if (this.#phase !== 'refusing') return undefined;
    this.#tellRefusal(SERVICE_UNAVAILABLE, DRAINING);
    return this.#retryLater;
  }

  #check(upgrade: PendingUpgrade): void {
    const { origin } = upgrade.request.headers;
    if (this.#isAllowed?.(origin) === false) {
      this.#refuse(upgrade, FORBIDDEN, `its origin ${origin} is not allowed`);
      return;
    }
    const noPlace = this.#limits?.take(upgrade.request, upgrade.socket);
    if (noPlace) {
      this.#refuse(upgrade, noPlace.status, noPlace.why);
      return;
    }
    const status = this.#authorize?.(upgrade.request) ?? SWITCHING_PROTOCOLS;
    if (typeof status === 'number') {
      this.#answer(upgrade, status);
      return;
    }
    this.#wait(upgrade);
    void status.then((settled) => this.#later(upgrade, () => this.#answer(upgrade, settled)));
  }

  #answer(upgrade: PendingUpgrade, status: number): void {
    if (this.#phase === 'refusing') this.#refuse(upgrade, SERVICE_UNAVAILABLE, DRAINING);
    else if (status === SWITCHING_PROTOCOLS) upgrade.proceed();
    else this.#refuse(upgrade, status, 'by authorize');
  }

  #wait(upgrade: PendingUpgrade): void {
    if (upgrade.settled || this.#waiting.has(upgrade)) return;
    const timer = this.#clock.setTimer(upgrade.patience, () => this.#giveUp(upgrade));
    this.#waiting.add(upgrade);
    upgrade.wait(() => {
      timer.cancel();
      this.#waiting.delete(upgrade);
    });
  }

  #giveUp(upgrade: PendingUpgrade): void {
    const after = `within ${upgrade.patience} ms (connect.timeout)`;
    if (this.#phase === 'starting') {
      this.#refuse(upgrade, SERVICE_UNAVAILABLE, `the app was not up ${after}`);
      return;
    }
    this.#tell('authorize-failure', { message: `authorize did not settle ${after}.` });
    this.#refuse(upgrade, SERVICE_UNAVAILABLE, 'authorize did not settle');
  }

  /** What runs in nobody's turn must not throw into nobody's hands. */
  #later(upgrade: PendingUpgrade, step: () => void): void {
    try {
      step();
    } catch (error) {
      upgrade.socket.destroy();
      this.#tell('listener-error', { message: 'A listener of a new connection threw.', error });
    }
  }

  #refuse(upgrade: PendingUpgrade, status: number, why: string): void {
    const headers = RETRY.has(status) ? this.#retryLater : {};
    if (upgrade.refuse(status, headers)) this.#tellRefusal(status, why);
  }

  #tellRefusal(status: number, why: string): void {
    this.#tell('upgrade-refused', { message: `An upgrade was refused with ${status}: ${why}.` });
  }
}
