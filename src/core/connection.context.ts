import type { CloseFrame, CloseRequest, HandlersPolicy } from './close-request.js';
import type { Phase } from './connection.phases.js';

/** Who made the connection leave `connecting` or `open`. */
export type Initiator = 'server' | 'peer' | 'network';

/** Why the server destroyed the socket. */
export type Destruction = 'terminated' | 'flush-timeout';

/** All that the table needs to know of a connection; never changed, only replaced. */
export interface ConnectionContext {
  readonly phase: Phase;
  readonly initiator: Initiator | undefined;
  /** Every party's request to close, in order. */
  readonly requests: readonly CloseRequest[];
  /** `'finish'` only as long as everybody who closed agreed to it. */
  readonly handlers: HandlersPolicy;
  /** The close frame that was written. */
  readonly sent: CloseFrame | undefined;
  /** Which request `sent` came from; none when it answers the peer. */
  readonly decided: number | undefined;
  /** The close frame that was read. */
  readonly received: CloseFrame | undefined;
  /** Nothing the peer sends is read any more. */
  readonly deaf: boolean;
  /** The peer ended its stream before the end of the socket was awaited. */
  readonly ended: boolean;
  /** The pong to the ping before our close frame was read. */
  readonly acknowledged: boolean;
  /** The peer's close frame was not the answer to ours. */
  readonly crossed: boolean;
  readonly destroyed: Destruction | undefined;
}

function initial(phase: 'connecting' | 'open'): ConnectionContext {
  return Object.freeze({
    phase,
    initiator: undefined,
    requests: Object.freeze([]),
    handlers: 'finish',
    sent: undefined,
    decided: undefined,
    received: undefined,
    deaf: false,
    ended: false,
    acknowledged: false,
    crossed: false,
    destroyed: undefined,
  });
}

/** Shared by every connection that nobody closes, so that a live one costs nothing here. */
export const CONNECTING: ConnectionContext = initial('connecting');
export const OPEN: ConnectionContext = initial('open');
