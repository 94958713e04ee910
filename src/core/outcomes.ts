import { NO_STATUS_RECEIVED } from './close-code.js';
import { decidingRequest } from './close-request.js';
import type { ConnectionContext, Initiator } from './connection.context.js';
import { PHASE_FACTS } from './connection.phases.js';
import { closeFrameOf } from './connection.transition.js';

/**
 * Why a message was never accepted.
 *
 * - `connecting`: the opening handshake of a client socket has not ended
 * - `peer-closed`: the peer closed, or ended its stream, before this side did
 * - `overflow`: there was no room for it (`send.maxBuffered`, `send.maxTotalBuffered`)
 * - `aborted`: the `signal` passed to `send()` was aborted first
 */
export const REFUSAL_CAUSES = [
  'connecting',
  'closing',
  'closed',
  'peer-closed',
  'overflow',
  'unserializable',
  'unknown-client',
  'aborted',
] as const;

export type RefusalCause = (typeof REFUSAL_CAUSES)[number];

/** Why a message that was accepted did not get through. */
export type LossCause = 'peer-closed' | 'terminated' | 'network' | 'flush-timeout';

/** What became of one send. Settled exactly once; a promise of it never rejects. */
export type SendOutcome =
  /** The peer's protocol stack has read it (not: its application). */
  | { readonly status: 'acknowledged' }
  /** It was handed to the kernel. */
  | { readonly status: 'written' }
  /** It was never accepted. */
  | { readonly status: 'refused'; readonly cause: RefusalCause }
  /** It was accepted, then given up by a policy while the connection lived. */
  | { readonly status: 'dropped'; readonly cause: 'overflow' | 'conflated' }
  /** The connection ended first. `sent: 'no'`: not a byte of it left; `'maybe'` otherwise. */
  | { readonly status: 'lost'; readonly cause: LossCause; readonly sent: 'no' | 'maybe' };

export const WRITTEN: SendOutcome = Object.freeze({ status: 'written' });

/**
 * - `clean`: both close frames were exchanged, one in answer to the other
 * - `crossed`: both were, each on its own; what the peer had not read, it may have discarded
 * - `terminated`: this side destroyed the socket before that
 * - `lost`: the network or the peer ended the socket before that
 *
 * What tells an answer is the pong before it (`crossing` in the table): a peer that closes between
 * our ping and our close frame, with all read, counts as `clean`, and one that answers no pings
 * as `crossed`.
 */
export type Handshake = 'clean' | 'crossed' | 'terminated' | 'lost';

/** One party's request, as the outcome lists it. */
export interface CloseRequestRecord {
  /** 1005: a close frame without a code. */
  readonly code: number;
  readonly reason: string;
  /** When it was made, in milliseconds since the epoch. */
  readonly at: number;
  /** Another decided code and reason. */
  readonly superseded: boolean;
}

/** What became of a connection; the same object for everybody who closed it. */
export interface CloseOutcome {
  readonly connectionId: string;
  /** Who made it leave `open`. */
  readonly initiator: Initiator;
  readonly handshake: Handshake;
  /** Of the close frame that this side wrote, or that the peer began with; 1006: there was none. */
  readonly code: number;
  readonly reason: string;
  readonly requests: readonly CloseRequestRecord[];
  /** Everything accepted on this connection was read by the peer's protocol stack. */
  readonly acknowledged: boolean;
  /** Messages handed to the kernel during the connection's life. */
  readonly written: number;
  /** Messages accepted, then given up by `send.overflow` or conflation while it lived. */
  readonly dropped: number;
  /** Messages accepted, not dropped, and not handed to the kernel when it ended. */
  readonly lost: number;
  /** Replies refused as closing had begun, and handlers cut off before they could reply. */
  readonly refusedReplies: number;
  /** From the beginning of closing to the end of the socket, in milliseconds. */
  readonly durationMs: number;
}

/** The part of the outcome that the table decides. */
export type CloseVerdict = Pick<
  CloseOutcome,
  'initiator' | 'handshake' | 'code' | 'reason' | 'requests'
>;

function handshakeOf(context: ConnectionContext, closeWritten: boolean): Handshake {
  if (context.sent && context.received && closeWritten)
    return context.crossed ? 'crossed' : 'clean';
  if (context.ended) return 'lost';
  // Having gone deaf, this side ends the socket itself, but not before its close frame.
  return context.destroyed || (context.deaf && context.sent) ? 'terminated' : 'lost';
}

/**
 * Reads the verdict off the context of a connection that has ended.
 *
 * @param closeWritten - whether the kernel has taken our close frame
 */
export function closeVerdict(context: ConnectionContext, closeWritten = true): CloseVerdict {
  const { requests } = context;
  const decided = context.sent ? context.decided : decidingRequest(requests);
  const { code, reason } = closeFrameOf(context);
  return {
    initiator: context.initiator!,
    handshake: handshakeOf(context, closeWritten),
    code,
    reason,
    requests: requests.map((request, index) => ({
      code: request.code ?? NO_STATUS_RECEIVED,
      reason: request.reason,
      at: request.at,
      superseded: index !== decided,
    })),
  };
}

/** Why a message is not accepted now; `undefined` where it is. */
export function refusalCause(context: ConnectionContext): RefusalCause | undefined {
  if (PHASE_FACTS[context.phase].accepts) return undefined;
  if (context.initiator !== 'server') return 'peer-closed';
  return context.phase === 'closed' ? 'closed' : 'closing';
}

/** Why what is left unsent, now that the connection has ended, is lost. */
export function lossCause(context: ConnectionContext): LossCause {
  if (context.destroyed && !context.ended) return context.destroyed;
  return context.received ? 'peer-closed' : 'network';
}
