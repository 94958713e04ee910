import type { HandlerTurns } from './handler-turns.js';
import type { Inbox } from './inbox.js';
import type { Membership } from './rooms.js';
import type { RegisteredConnection } from './runtime.js';
import type { Session } from './session.js';

/** What few connections have, in one object that is made when the first of it is needed. */
export class Extras {
  session: Session | undefined;
  membership: Membership<RegisteredConnection> | undefined;
  inbox: Inbox | undefined;
  turns: HandlerTurns | undefined;
  data: Record<string, unknown> | undefined;
  /** Hooks that are to begin wait for it. */
  held: Promise<void> | undefined;
  /** Of the message that came last, for those who learn of it by another way. */
  lastMessageBytes = 0;
}
