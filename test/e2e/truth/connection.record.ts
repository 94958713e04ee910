import type { CloseOutcome, LifecycleEvent, SendOutcome } from '../../../src/index.js';
import type { Received } from './messages.js';
import type { ConnectionPlan, MessageSize, ServerAct } from './schedule.types.js';

/** A message that the server handed over, and what its sender was told of it. */
export interface Sent {
  /** Its place in the order of the calls, which is the order of acceptance. */
  readonly n: number;
  readonly via: ServerAct['do'] | 'reply';
  readonly size: MessageSize;
  readonly length: number;
  readonly binary: boolean;
  /** Whether its sender is promised an outcome, and so must be told exactly one. */
  readonly promised: boolean;
  readonly acknowledge: boolean;
  readonly outcomes: SendOutcome[];
  /** `undefined`: its sender is not told. */
  accepted: boolean | undefined;
}

export interface ClosingCall {
  readonly kind: 'close' | 'terminate';
  /** As the outcome lists it. */
  readonly code: number;
  /** What its caller passed. */
  readonly precedence: number | undefined;
  /** It came before the end, so that the outcome lists it. */
  readonly listed: boolean;
  /** It came in the macrotask in which closing began, and so before the close frame. */
  readonly early: boolean;
  /** It named a connection that the service knows. */
  readonly known: boolean;
  readonly outcomes: CloseOutcome[];
}

export interface ReadQuestion {
  /** The number of the last message before it was asked. */
  readonly upTo: number;
  answer?: boolean;
}

/** How its connection ended for the peer. */
export interface PeerEnd {
  /** The close frame that it read; none: 1006. */
  readonly code: number;
  readonly reason: string;
}

/** What only a peer that sees the bytes can tell. */
export interface WireFacts {
  readonly closeFrames: number;
  readonly framesAfterClose: number;
  /** It read to the very end. */
  readonly readAll: boolean;
}

/** What both sides saw of one connection; a check compares the two. */
export interface ConnectionRecord {
  readonly plan: ConnectionPlan;
  readonly sent: readonly Sent[];
  readonly closings: readonly ClosingCall[];
  readonly questions: readonly ReadQuestion[];
  readonly events: readonly LifecycleEvent[];
  /** What the runner itself found to be wrong while it ran. */
  readonly faults: readonly string[];
  readonly outcome: CloseOutcome | undefined;
  /** Frames that Nest or the owner sends of itself may have been accepted, so many at most. */
  readonly unnumbered: number;
  readonly disconnects: number;
  readonly received: readonly Received[];
  readonly end: PeerEnd | undefined;
  /** The peer cut the connection itself, or broke the protocol. */
  readonly peerHarmed: boolean;
  readonly peerClosed: boolean;
  readonly wire: WireFacts | undefined;
}

/** Compares what the two sides saw, and says what is not true. */
export type Check = (record: ConnectionRecord, say: (text: string) => void) => void;
