/* oxlint-disable unicorn/no-thenable -- `then` says what a command is followed by. */
import fc from 'fast-check';
import {
  CODES,
  type Command,
  type HandlerKind,
  type Reaction,
  type Schedule,
  type Setting,
} from './schedule.types.js';

const reaction = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Reaction>('nothing') },
  { weight: 6, arbitrary: fc.constantFrom<Reaction>('send', 'ask') },
  { weight: 2, arbitrary: fc.constant<Reaction>('close') },
  { weight: 1, arbitrary: fc.constant<Reaction>('terminate') },
);
const code = fc.nat({ max: CODES.length - 1 });
const which = fc.nat({ max: 9 });

const options = fc.record(
  {
    handlers: fc.constantFrom('abort' as const, 'finish' as const),
    flushTimeout: fc.constantFrom(0, 1, 100, 499, 500, 10_000),
    handshakeTimeout: fc.constantFrom(0, 1, 100, 399, 400, 10_000),
    precedence: fc.constantFrom(0, 15, 100),
  },
  { requiredKeys: [] },
);

function simple(...names: Command['do'][]): fc.Arbitrary<Command> {
  return fc.constantFrom(...names).map((name) => ({ do: name }) as Command);
}

/** What an app does. */
const server = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      bytes: fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 400 })),
      acknowledge: fc.boolean(),
      conflate: fc.constantFrom(undefined, undefined, undefined, 'a', 'b'),
      abortable: fc.constantFrom(false, false, true),
      then: reaction,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('sendPlain' as const),
      bytes: fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 400 })),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('broadcast' as const),
      bytes: fc.nat({ max: 60 }),
      framed: fc.boolean(),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 4, arbitrary: simple('post', 'sendUnsendable', 'post') },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('ping' as const), bytes: fc.nat({ max: 120 }) }),
  },
  { weight: 1, arbitrary: simple('pause', 'abortSends') },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      timeout: fc.constantFrom(0, 10, 500, 100_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('close' as const), code, options }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('whenReady' as const, 'onAbort' as const, 'onTold' as const),
      then: reaction,
    }),
  },
);

/** What its gateways do. */
const gateways: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: simple('hookSettles') },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hookRejects' as const), code }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('handlerResolves' as const),
      which,
      with: fc.constantFrom('value' as const, 'nothing' as const, 'observable' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'handlerRejects' as const,
        'observableEmits' as const,
        'observableEmits' as const,
        'observableEnds' as const,
      ),
      which,
    }),
  },
);

/** What the peer does. */
const peer: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant('peerSend' as const),
      handler: fc.constantFrom<HandlerKind>(
        'reply',
        'nothing',
        'throw',
        'promise',
        'promise',
        'observable',
        'generator',
        'closes',
      ),
      bytes: fc.nat({ max: 60 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('peerRead' as const),
      bytes: fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 500 })),
    }),
  },
  { weight: 6, arbitrary: simple('peerPause', 'peerResume', 'peerPing', 'peerPongsAgain') },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('peerAnswersPings' as const),
      answers: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('peerClose' as const), code }) },
  { weight: 1, arbitrary: simple('peerEnd', 'peerReset', 'peerBreaks') },
  { weight: 1, arbitrary: simple('terminate') },
);

/** What passes. */
const passing: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: simple('endMacrotask', 'settleIo') },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('io' as const),
      kind: fc.constantFrom('written' as const, 'arrival' as const, 'reading' as const),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('settleIoBut' as const),
      kind: fc.constantFrom('written' as const, 'written' as const, 'arrival' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.constantFrom(0, 1, 50, 80, 100, 299, 300, 399, 400, 500, 1_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advanceToTimer' as const),
      just: fc.constantFrom('before' as const, 'at' as const),
    }),
  },
);

const setting: fc.Arbitrary<Setting> = fc.record({
  network: fc.constantFrom('starved' as const, 'follows time' as const, 'prompt' as const),
  highWaterMark: fc.constantFrom(1, 20, 100, 1_000, 100_000),
  maxBuffered: fc.constantFrom(Infinity, Infinity, 1, 2, 5),
  maxTotalBuffered: fc.constantFrom(Infinity, Infinity, 1, 3),
  overflow: fc.constantFrom('close', 'refuse', 'drop-oldest', 'wait'),
  keeps: fc.constantFrom(false, false, true),
  batching: fc.constantFrom(false, true, 'hasty' as const),
  kernelBuffer: fc.constantFrom(3, 30, 200, 1_000, 1_000_000),
  maxPendingBytes: fc.constantFrom(1, 50, 100_000),
  handlers: fc.constantFrom('abort' as const, 'finish' as const),
  order: fc.constantFrom('concurrent' as const, 'concurrent' as const, 'serial' as const),
  maxInFlight: fc.constantFrom(1_000, 1_000, 1, 2),
  maxQueuedBytes: fc.constantFrom(1, 50, 100_000),
  messagesPerSecond: fc.constantFrom(undefined, undefined, undefined, 1, 10),
  acknowledge: fc.boolean(),
  hooks: fc.constantFrom(0, 0, 0, 0, 1, 2),
  peer: fc.record({
    answersPings: fc.constantFrom(true, true, true, false),
    answersClose: fc.constantFrom(true, true, true, false),
    discardsAfterClose: fc.boolean(),
    paused: fc.constantFrom(false, false, true),
  }),
  ending: fc.constantFrom('as it is' as const, 'with a good peer' as const),
  resets: fc.boolean(),
  patient: fc.boolean(),
  stuck: fc.constantFrom(false, false, false, false, false, false, false, true),
});

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  setting,
  commands: fc.array(
    fc.oneof(
      { weight: 5, arbitrary: server },
      { weight: 3, arbitrary: gateways },
      { weight: 5, arbitrary: peer },
      { weight: 7, arbitrary: passing },
    ),
    { minLength: 1, maxLength: 60, size: 'max' },
  ),
});
