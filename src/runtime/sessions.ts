import type { Clock } from './clock.js';

/** A connection that has said whose it is. */
export interface SessionMember {
  /** Closing has not begun. */
  readonly live: boolean;
  /** `handleConnection` has accepted it. */
  readonly accepted: boolean;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  /** Calls back once it has ended, and so have its hooks. */
  whenGone(callback: () => void): void;
  /** There are too many of the same identity, and this is the one to go. */
  yield(): void;
}

/**
 * Whether all of them are gone within `patience` ms; that is all the time they get, as a hook of
 * one may never end.
 */
export function departureOf(
  members: readonly SessionMember[],
  clock: Clock,
  patience: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    let left = members.length;
    const timer = clock.setTimer(patience, () => resolve(false));
    for (const member of members) {
      member.whenGone(() => {
        if (--left > 0) return;
        timer.cancel();
        resolve(true);
      });
    }
  });
}

/** Who has which connections, from `identify()` until their hooks after the end have ended (G9). */
export class Sessions {
  /** How many have begun to close, and are not gone. */
  leaving = 0;
  readonly #byIdentity = new Map<string, Set<SessionMember>>();

  add(identity: string, member: SessionMember): void {
    let members = this.#byIdentity.get(identity);
    if (!members) this.#byIdentity.set(identity, (members = new Set()));
    members.add(member);
  }

  delete(identity: string, member: SessionMember): void {
    const members = this.#byIdentity.get(identity);
    members?.delete(member);
    if (members?.size === 0) this.#byIdentity.delete(identity);
  }

  /** Those of an identity that are on their way out. A live one is never waited for. */
  leavingOf(identity: string): SessionMember[] {
    return [...(this.#byIdentity.get(identity) ?? [])].filter(({ live }) => !live);
  }

  /** Those that may be used, the oldest first. */
  acceptedOf(identity: string): SessionMember[] {
    return [...(this.#byIdentity.get(identity) ?? [])]
      .filter(({ live, accepted }) => live && accepted)
      .toSorted((a, b) => a.openedAt - b.openedAt);
  }
}
