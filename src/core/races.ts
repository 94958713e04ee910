/**
 * Every kind of race and misuse that is met, counted and told. A closed list: dashboards and
 * alerts may rely on it.
 *
 * `expected` ones belong to the life of a busy server (logged at debug), `unexpected` ones want
 * somebody's attention (warn), a `defect` is ours or the transport's (error).
 */
export const RACE_LEVELS = {
  /** A second party closed a connection that was already closing. */
  'concurrent-close': 'expected',
  /** A close whose code or reason was not the one sent, as another decided. */
  'superseded-code': 'expected',
  /** Both sides closed at once; what the peer had not yet read, it may have discarded. */
  'crossed-close': 'expected',
  /** An upgrade was refused: while draining or starting, for its origin, or by `authorize`. */
  'upgrade-refused': 'expected',
  /** `authorize` threw, gave no verdict, or did not settle in time; the upgrade was refused. */
  'authorize-failure': 'unexpected',
  /** A send after closing had begun: refused. */
  'send-after-close': 'expected',
  /** A send before the opening handshake had ended: refused. */
  'send-before-open': 'unexpected',
  /** No room was left for a message: it was refused, or older ones were dropped for it. */
  'send-overflow': 'unexpected',
  /** The reader takes too little of what is sent to it, and is closed with 1013. */
  'slow-consumer': 'unexpected',
  /** A handler's reply came after closing had begun: refused. */
  'reply-after-close': 'expected',
  /** A handler's Observable was unsubscribed because the connection closed. */
  'stream-cut': 'expected',
  /** A message came while `handleConnection` was pending: kept until it settled. */
  'early-message': 'expected',
  /** A message came after closing had begun, or waited when it did: no handler was started. */
  'message-after-close': 'expected',
  /** A message came while the server drains: no handler was started. */
  'message-while-draining': 'expected',
  /** Handlers end more slowly than messages come, and as many wait as may: the socket is paused. */
  'handlers-saturated': 'unexpected',
  /** The peer sends more messages a second than it may: they wait. */
  'rate-limited': 'expected',
  /** An event of the socket came after the connection had ended. */
  'late-socket-event': 'expected',
  /** A code or reason that RFC 6455 does not let an endpoint send; mended. */
  'invalid-close-arguments': 'unexpected',
  /** A value that can't be serialised: refused. */
  unserializable: 'unexpected',
  /** `handleConnection`, `handleDisconnect` or another hook threw or rejected. */
  'hook-rejection': 'unexpected',
  /** A hook had to wait for something that did not end in time, and began all the same. */
  'hook-timeout': 'unexpected',
  /** `handleConnection` had not settled in time. */
  'ready-timeout': 'unexpected',
  /** There were too many connections of one identity, and this one was closed. */
  'session-excess': 'expected',
  /** `identify()` or `expiresAt()` got something that is no identity or no date. */
  'invalid-session': 'unexpected',
  /** `join()` got something that is no name of a room. */
  'invalid-room': 'unexpected',
  /** A handler's error passed every exception filter. */
  'handler-error': 'unexpected',
  /** Handlers had not ended in time; their replies are refused. */
  'settle-timeout': 'unexpected',
  /** The reader made no progress in time; what was left is lost. */
  'flush-timeout': 'unexpected',
  /** The peer did not answer our close frame, or the socket did not end, in time. */
  'handshake-timeout': 'expected',
  /** The peer answered no heartbeat and gave no other sign of life in time: given up as lost. */
  'peer-lost': 'expected',
  /** The peer sent a frame that breaks RFC 6455, or one too large. */
  'protocol-error': 'unexpected',
  /** A message that the parser could not read. */
  'unreadable-message': 'expected',
  /** A message whose event no gateway subscribes to. */
  'unknown-event': 'expected',
  /** A callback of the app (an event subscriber, a send callback) threw. */
  'listener-error': 'unexpected',
  /** The runtime met an event that the transition table has no row for; nothing was changed. */
  'illegal-event': 'defect',
  /** The transport never reported the end of a destroyed socket. */
  'transport-stuck': 'defect',
} as const satisfies Record<string, 'expected' | 'unexpected' | 'defect'>;

export type RaceKind = keyof typeof RACE_LEVELS;

export const RACE_KINDS = Object.keys(RACE_LEVELS) as RaceKind[];
