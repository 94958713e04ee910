import type { OverflowPolicy } from '../../../src/core/overflow.js';
import type { CloseOptions } from '../../../src/runtime/connection.js';
import type { HandlerOrder } from '../../../src/runtime/handler-call.js';
import type { TaskKind } from '../../support/fakes/task.queue.js';

/** What user code does where the runtime calls it in the middle of something. */
export type Reaction = 'nothing' | 'send' | 'close' | 'terminate' | 'ask';

export type HandlerKind =
  | 'reply'
  | 'nothing'
  | 'throw'
  | 'promise'
  | 'observable'
  | 'generator'
  | 'closes';

export const CODES = [undefined, 1000, 1001, 1008, 1011, 1013, 3000, 4000, 4001, 999] as const;

/** One thing that happens. */
export type Command =
  | {
      readonly do: 'send';
      readonly bytes: number;
      readonly acknowledge: boolean;
      readonly conflate: string | undefined;
      /** Its signal is aborted later, by `abortSends`. */
      readonly abortable: boolean;
      readonly then: Reaction;
    }
  | { readonly do: 'abortSends' }
  | { readonly do: 'post' }
  /** Without options, so that all of a tick may share an outcome. */
  | { readonly do: 'sendPlain'; readonly bytes: number }
  /** To this connection and others, which may have framed it before. */
  | {
      readonly do: 'broadcast';
      readonly bytes: number;
      readonly framed: boolean;
      readonly times: number;
    }
  | { readonly do: 'sendUnsendable' }
  | { readonly do: 'ask'; readonly timeout: number }
  | { readonly do: 'close'; readonly code: number; readonly options: CloseOptions }
  | { readonly do: 'terminate' }
  | { readonly do: 'endMacrotask' }
  | { readonly do: 'io'; readonly kind: TaskKind; readonly count: number }
  | { readonly do: 'settleIo' }
  /** All but one kind, such as pongs that are faster than the callbacks of what they prove read. */
  | { readonly do: 'settleIoBut'; readonly kind: TaskKind }
  /** Control frames that nobody waits for, such as a heartbeat's. */
  | { readonly do: 'ping'; readonly bytes: number }
  | { readonly do: 'pause' }
  | { readonly do: 'advance'; readonly ms: number }
  /** To a moment at which a timer fires, or just before it. */
  | { readonly do: 'advanceToTimer'; readonly just: 'before' | 'at' }
  | { readonly do: 'peerSend'; readonly handler: HandlerKind; readonly bytes: number }
  | { readonly do: 'peerRead'; readonly bytes: number }
  | { readonly do: 'peerPause' }
  | { readonly do: 'peerResume' }
  | { readonly do: 'peerPing' }
  | { readonly do: 'peerPongsAgain' }
  | { readonly do: 'peerAnswersPings'; readonly answers: boolean }
  | { readonly do: 'peerClose'; readonly code: number }
  | { readonly do: 'peerEnd' }
  | { readonly do: 'peerReset' }
  | { readonly do: 'peerBreaks' }
  | { readonly do: 'hookSettles' }
  | { readonly do: 'hookRejects'; readonly code: number }
  | {
      readonly do: 'handlerResolves';
      readonly which: number;
      readonly with: 'value' | 'nothing' | 'observable';
    }
  | { readonly do: 'handlerRejects'; readonly which: number }
  | { readonly do: 'observableEmits'; readonly which: number }
  | { readonly do: 'observableEnds'; readonly which: number }
  | { readonly do: 'whenReady'; readonly then: Reaction }
  | { readonly do: 'onAbort'; readonly then: Reaction }
  | { readonly do: 'onTold'; readonly then: Reaction };

export interface Setting {
  /** When the sockets do what they do on their own, beside the commands that make them. */
  readonly network: 'starved' | 'follows time' | 'prompt';
  readonly highWaterMark: number;
  /** As many times the high-water mark. */
  readonly maxBuffered: number;
  /** As many times the high-water mark, for this one connection. */
  readonly maxTotalBuffered: number;
  readonly overflow: OverflowPolicy;
  /** Whether what is not acknowledged is handed back, whoever asked. */
  readonly keeps: boolean;
  readonly kernelBuffer: number;
  /** All messages of a tick are written, and reported, in one; `hasty`: but for the first. */
  readonly batching: boolean | 'hasty';
  readonly maxPendingBytes: number;
  readonly handlers: 'abort' | 'finish';
  readonly order: HandlerOrder;
  readonly maxInFlight: number;
  readonly maxQueuedBytes: number;
  readonly messagesPerSecond: number | undefined;
  readonly acknowledge: boolean;
  /** Gateways whose `handleConnection` is pending at first. */
  readonly hooks: number;
  readonly peer: {
    readonly answersPings: boolean;
    readonly answersClose: boolean;
    readonly discardsAfterClose: boolean;
    readonly paused: boolean;
  };
  /** How a connection ends that lives through all of it: a good peer must get everything. */
  readonly ending: 'as it is' | 'with a good peer';
  /** A destroyed socket takes what the peer has not read with it. */
  readonly resets: boolean;
  /** A socket is not closed before the peer has ended its stream. */
  readonly patient: boolean;
  /** A destroyed socket is never reported closed. */
  readonly stuck: boolean;
}

export interface Schedule {
  readonly setting: Setting;
  readonly commands: readonly Command[];
}

/** Short, and each of its own length, so that none is taken for another. */
export const BUDGETS = {
  ready: 1_000,
  settle: 300,
  flush: 500,
  handshake: 400,
  cap: 3_000,
} as const;
