import type { EventInvariant, StateInvariant, TurnInvariant } from './invariant.types.js';

/** G7 and G8, of every state. */
export const HANDLER_STATES: readonly StateInvariant[] = [
  {
    name: 'G7 a message that waited is started once the connection is ready',
    holds: ({ scenario, machine, waiting, dispatching, running }) =>
      machine.phase !== 'open' || waiting === 0 || dispatching || (scenario.serial && running > 0),
  },
  {
    name: 'G8 nothing waits once closing has begun',
    holds: ({ machine, waiting }) =>
      waiting === 0 || machine.phase === 'connecting' || machine.phase === 'open',
  },
  {
    name: 'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
    holds: ({ mustAbort, aborted }) => !mustAbort || aborted,
  },
  {
    name: 'G8 handlers are cut off once replies are refused',
    holds: ({ machine, cut }, { core }) => cut || core.facts[machine.phase].accepts,
  },
];

/** G7 and G8, of every event. */
export const HANDLER_EVENTS: readonly EventInvariant[] = [
  {
    name: 'G8 no running handler is aborted without a reason',
    holds: ({ event, effects, wasAborted, wasRunning }, { after }) =>
      wasAborted ||
      wasRunning === 0 ||
      !effects.includes('abort-handlers') ||
      after.mustAbort ||
      event.type === 'settleTimeout' ||
      event.type === 'deadline',
  },
  {
    name: 'G8 handlers are aborted before the close frame is written',
    holds: ({ effects, wasAborted }) => {
      const close = effects.indexOf('write-close');
      const abort = effects.indexOf('abort-handlers');
      return close < 0 || wasAborted || (abort >= 0 && abort < close);
    },
  },
];

/** G7 and G8, of everything that happens. */
export const HANDLER_TURNS: readonly TurnInvariant[] = [
  {
    name: 'G7 no handler starts before handleConnection has settled',
    holds: ({ started, before }) => !started || before.hook !== 'awaited',
  },
  {
    name: 'G7 messages start their handlers in order',
    holds: ({ started, before }) => started !== 'new' || before.waiting === 0,
  },
  {
    name: 'G8 no handler starts once closing has begun',
    holds: ({ started, before }) => !started || before.began === undefined,
  },
  {
    name: 'G8 a reply of an aborted handler is refused once the macrotask is over',
    holds: ({ attempt, before }) =>
      attempt?.by !== 'reply' || !attempt.accepted || !before.aborted || before.awaited > 0,
  },
  {
    name: 'G8 a reply of a handler that may finish is accepted',
    holds: ({ attempt, before }) =>
      attempt?.by !== 'reply' ||
      attempt.cause === undefined ||
      before.aborted ||
      attempt.cause === 'overflow',
  },
];
