import { MAX_TIMER_MS, type Clock, type Timer } from './clock.js';
import type { Connection } from './connection.js';
import type { SessionPolicy } from './connection.policy.js';
import type { RaceDetail } from './lifecycle.observer.js';
import type { RaceKind } from '../core/races.js';
import type { SessionMember, Sessions } from './sessions.js';

/** For one too many of an identity; 4409 is to 409 (conflict) what 4401 is to 401. */
const SESSION_EXCESS = 4409;
/** The credential has expired. */
const SESSION_EXPIRED = 4401;
/** IANA: the client may come back at once, to another server or to this one. */
const SERVICE_RESTART = 1012;
/** The part of `maxAge` by which connections end earlier, at random. */
const AGE_JITTER = 0.1;
/** A date before it is seconds taken for milliseconds. */
const YEAR_2000 = Date.UTC(2000, 0, 1);

/** What a session needs of its connection. */
export interface SessionHost extends Pick<Connection, 'openedAt' | 'close'> {
  readonly live: boolean;
  readonly accepted: boolean;
  tell(kind: RaceKind, detail: RaceDetail): void;
}

interface SessionParts {
  readonly host: SessionHost;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly policy: SessionPolicy;
}

/** Whose a connection is, and how long it may last. Made only for one that has either. */
export class Session implements SessionMember {
  identity: string | undefined;
  readonly #parts: SessionParts;
  #age: Timer | undefined;
  #expiry: Timer | undefined;
  #left = false;
  #gone = false;
  #callbacks: (() => void)[] = [];

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { maxAge } = parts.policy;
    if (maxAge === undefined || !parts.host.live) return;
    this.#age = parts.clock.setTimer(maxAge * (1 - AGE_JITTER * parts.random()), () => {
      void parts.host.close(SERVICE_RESTART, 'maximum age reached', { handlers: 'finish' });
    });
  }

  get live(): boolean {
    return this.#parts.host.live;
  }

  get accepted(): boolean {
    return this.#parts.host.accepted;
  }

  get openedAt(): number {
    return this.#parts.host.openedAt;
  }

  /** Those of the same identity that are on their way out, for who is to wait for them. */
  identify(identity: unknown): SessionMember[] {
    const { host, sessions } = this.#parts;
    if (typeof identity !== 'string' || identity === '') {
      host.tell('invalid-session', { message: 'identify() takes a string that is not empty.' });
      return [];
    }
    if (!host.live || identity === this.identity) return [];
    const leaving = sessions.leavingOf(identity);
    if (this.identity !== undefined) sessions.delete(this.identity, this);
    this.identity = identity;
    sessions.add(identity, this);
    if (host.accepted) this.claimPlace();
    return leaving;
  }

  /** Makes room where there are too many of an identity; once it was accepted. */
  claimPlace(): void {
    const { sessions, policy } = this.#parts;
    if (this.identity === undefined || policy.maxPerIdentity === undefined) return;
    const members = sessions.acceptedOf(this.identity);
    const excess = members.length - policy.maxPerIdentity;
    if (excess <= 0) return;
    const others = members.filter((member) => member !== this);
    const leaving = policy.onExcess === 'reject-new' ? [this] : others.slice(0, excess);
    for (const member of leaving) member.yield();
  }

  yield(): void {
    const { host } = this.#parts;
    host.tell('session-excess', {});
    void host.close(SESSION_EXCESS, 'too many connections of one identity');
  }

  /** Closes at that moment, unless it is put off; `undefined`: never. */
  expiresAt(date: unknown): void {
    const { clock, host } = this.#parts;
    this.#expiry?.cancel();
    this.#expiry = undefined;
    if (!host.live || date === undefined) return;
    const at = date instanceof Date ? date.getTime() : Number.NaN;
    if (!(at >= YEAR_2000)) {
      host.tell('invalid-session', {
        message:
          'expiresAt() got no Date, or one before 2000 (the exp of a JWT is in seconds: ' +
          'new Date(exp * 1000)). The connection is closed, as if it had expired.',
      });
    }
    const left = at - clock.now();
    if (left > 0) {
      this.#expiry = clock.setTimer(Math.min(left, MAX_TIMER_MS), () => this.expiresAt(date));
    } else {
      void host.close(SESSION_EXPIRED, 'credential expired');
    }
  }

  whenGone(callback: () => void): void {
    if (this.#gone) callback();
    else this.#callbacks.push(callback);
  }

  onClosing(): void {
    this.#age?.cancel();
    this.#expiry?.cancel();
    if (this.identity === undefined) return;
    this.#left = true;
    this.#parts.sessions.leaving++;
  }

  /** The connection has ended, and so have its hooks. */
  onGone(): void {
    const { sessions } = this.#parts;
    this.#gone = true;
    if (this.#left) sessions.leaving--;
    if (this.identity !== undefined) sessions.delete(this.identity, this);
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}
