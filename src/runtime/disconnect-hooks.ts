import type { RaceKind } from '../core/races.js';
import type { Clock, Timer } from './clock.js';
import type { HookTally } from './hook-tally.js';
import type { RaceDetail } from './lifecycle.observer.js';
import type { ReadinessKey } from './readiness.js';

/** What the hooks need of their connection. */
export interface DisconnectHost {
  /** What must end before the hook of this gateway may begin, for people; nothing where it may. */
  busyWith(gateway: ReadinessKey): string | undefined;
  tell(kind: RaceKind, detail: RaceDetail): void;
  /** The connection has ended, and so has every hook. */
  onGone(): void;
}

interface Parts {
  readonly host: DisconnectHost;
  readonly clock: Clock;
  readonly tally: HookTally;
  /** Milliseconds that a hook waits for what it must follow. */
  readonly patience: () => number;
}

interface Hook {
  readonly gateway: ReadinessKey;
  readonly run: () => unknown;
  readonly ended: () => void;
}

/**
 * The `handleDisconnect` of each gateway on one connection (G9): begun once its `handleConnection`
 * and the handlers in flight have ended, and at the latest after `handlers.settleTimeout`, or
 * when a drain has no more time.
 */
export class DisconnectHooks {
  readonly #parts: Parts;
  #waiting: Hook[] = [];
  #running = 0;
  #timer: Timer | undefined;
  #all = false;
  #forgone: Set<ReadinessKey> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @param run - must neither throw nor reject */
  add(gateway: ReadinessKey, run: () => unknown): void {
    const { clock, tally, patience } = this.#parts;
    const ended = tally.begin(`handleDisconnect of ${gateway.name}`);
    this.#waiting.push({ gateway, run, ended });
    this.review();
    if (this.#waiting.length === 0) return;
    if (this.#timer) return;
    const ms = patience();
    this.#timer = clock.setTimer(ms, () => this.#losePatience(ms));
  }

  /** The gateway never saw the connection, and is not to be told of its end. */
  forgo(gateway: ReadinessKey): void {
    (this.#forgone ??= new Set()).add(gateway);
  }

  /** Something that hooks wait for may have ended. */
  review(): void {
    this.#begin((gateway) => this.#parts.host.busyWith(gateway) === undefined);
  }

  /** No more of them will come. */
  seal(): void {
    this.#all = true;
    this.#report();
  }

  #losePatience(ms: number): void {
    const { host } = this.#parts;
    this.#timer = undefined;
    for (const { gateway } of this.#waiting) {
      const message =
        `handleDisconnect of ${gateway.name} begins though ${host.busyWith(gateway)} has not ended ` +
        `within ${Math.round(ms)} ms. Heed the connection's signal, or raise handlers.settleTimeout.`;
      host.tell('hook-timeout', { message });
    }
    this.#begin(() => true);
  }

  #begin(may: (gateway: ReadinessKey) => boolean): void {
    const due = this.#waiting.filter(({ gateway }) => may(gateway));
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((hook) => !due.includes(hook));
    if (this.#waiting.length === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
    this.#running += due.length;
    for (const hook of due) this.#run(hook);
  }

  #run({ gateway, run, ended }: Hook): void {
    const end = (): void => {
      this.#running--;
      ended();
      this.#report();
    };
    const result = this.#forgone?.has(gateway) ? undefined : run();
    if (result instanceof Promise) void result.then(end);
    else end();
  }

  #report(): void {
    if (!this.#all || this.#running > 0 || this.#waiting.length > 0) return;
    this.#all = false;
    this.#parts.host.onGone();
  }
}
