/** What one seed decides: plain data, so that it can be printed, cut down and run again. */
export interface Schedule {
  readonly seed: number;
  readonly connections: readonly ConnectionPlan[];
}

export interface ConnectionPlan {
  /** `patient` has the default budgets, and only peers that keep to the protocol. */
  readonly path: GatewayPath;
  readonly hook: HookPlan;
  readonly leaving: 'sync' | 'async' | 'rejects';
  readonly peer: PeerPlan;
  readonly parties: readonly Party[];
  /** Who ends what nobody has ended. */
  readonly ending: 'close' | 'terminate' | 'peer';
}

/** Those whose buffers are limited are named after what they do with more. */
export type LimitedPath = '/close' | '/refuse' | '/drop-oldest' | '/wait';

export type GatewayPath = '/plain' | '/deflate' | '/patient' | '/patient-deflate' | LimitedPath;

const LIMITED: readonly GatewayPath[] = ['/close', '/refuse', '/drop-oldest', '/wait'];

export function isLimited(path: GatewayPath): path is LimitedPath {
  return LIMITED.includes(path);
}

/** What `handleConnection` does. */
export type HookPlan =
  | { readonly kind: 'sync' }
  | { readonly kind: 'async'; readonly turns: number }
  | { readonly kind: 'rejects'; readonly how: 'rejected' | 'ws' | 'error'; readonly turns: number }
  | { readonly kind: 'closes'; readonly code: number }
  | { readonly kind: 'never' };

/** How long to wait before a step; a number is so many turns of the event loop. */
export type Pause = 'none' | 'microtask' | 'tick' | number;

export type MessageSize = 'small' | 'large';

/** One piece of server code that sends and closes on its own. */
export interface Party {
  readonly start: PartyStart;
  readonly steps: readonly { readonly pause: Pause; readonly act: ServerAct }[];
}

/** In a subscriber of `events$`; in `handleConnection`; or once the client has its `open`. */
export type PartyStart = 'opened' | 'connection' | 'ready' | 'closing' | 'client-open';

export type ServerAct =
  | {
      readonly do: 'send';
      readonly count: number;
      readonly size: MessageSize;
      readonly binary: boolean;
      readonly acknowledge: boolean;
      readonly aborted?: true;
      readonly bad?: true;
    }
  | {
      readonly do: 'emit';
      readonly count: number;
      readonly size: MessageSize;
      readonly acknowledge: boolean;
      readonly bad?: true;
    }
  | { readonly do: 'post'; readonly count: number; readonly size: MessageSize }
  | {
      readonly do: 'raw';
      readonly count: number;
      readonly size: MessageSize;
      readonly binary: boolean;
      /** `sends`: it sends another message, in the very moment in which the first is settled. */
      readonly callback: 'none' | 'notes' | 'sends';
    }
  | { readonly do: 'acknowledged'; readonly timeout?: number }
  | ({ readonly do: 'close' } & CloseAct)
  | { readonly do: 'terminate'; readonly by: Caller }
  | { readonly do: 'ping' };

export interface CloseAct {
  readonly by: Caller;
  readonly code?: number;
  readonly reason?: string;
  readonly handlers?: 'abort' | 'finish';
  readonly precedence?: number;
  readonly flushTimeout?: number;
  readonly handshakeTimeout?: number;
}

/** Through the service by socket or by id, through the connection, or on the raw socket. */
export type Caller = 'service' | 'id' | 'connection' | 'raw';

export type PeerPlan = { readonly script: readonly PeerStep[] } & (
  | {
      readonly kind: 'ws';
      readonly pongs: boolean;
      readonly deferred: boolean;
      readonly offersDeflate: boolean;
    }
  | { readonly kind: 'whatwg' }
  | {
      readonly kind: 'raw';
      /** `late`: only once there is another ping. */
      readonly pongs: 'each' | 'latest' | 'late' | 'none';
      readonly answer: 'echo' | 'echo-and-end' | 'end' | 'late' | 'none' | 'reset';
      /** Gives its user nothing it reads after its own close, as a browser does. */
      readonly discards: boolean;
      /** Requests in the same packet as the upgrade. */
      readonly pipelined: number;
    }
);

export interface PeerStep {
  /** So many turns, or from within the event of so many messages received. */
  readonly wait: { readonly turns: number } | { readonly messages: number };
  readonly act: PeerAct;
}

export type PeerAct =
  | { readonly do: 'ask'; readonly count: number; readonly ask: Ask }
  | { readonly do: 'pause' | 'resume' | 'reset' | 'end' | 'garbage' | 'ping' }
  /** Pongs that answer nothing: one of its own, and again each that it has sent. */
  | { readonly do: 'pong' }
  /** `end`: with the end of its stream right behind, in one packet. */
  | { readonly do: 'close'; readonly code?: number; readonly reason?: string; readonly end?: true };

/** A request that runs a handler. */
export interface Ask {
  readonly mode:
    | 'sync'
    | 'async'
    | 'stream'
    | 'never'
    | 'throws'
    | 'rejects'
    | 'unserializable'
    | 'closes';
  readonly turns: number;
  readonly values: number;
  readonly size: MessageSize;
}
