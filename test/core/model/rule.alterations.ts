import { decidingRequest, type CloseRequest } from '../../../src/core/close-request.js';
import { PHASE_FACTS, type Phase } from '../../../src/core/connection.phases.js';
import { GUARDS, TABLE, type Guards } from '../../../src/core/connection.table.js';
import { admissionOf } from '../../../src/core/overflow.js';
import { transitionOf } from '../../../src/core/connection.transition.js';
import type { Alteration } from './alteration.types.js';
import { CORE, type Core } from './core.parts.js';

type Facts = Core['facts'][Phase];

function deciding(name: string, decide: typeof decidingRequest, breaks: string): Alteration {
  return { name, core: { ...CORE, transition: transitionOf(TABLE, GUARDS, decide) }, breaks };
}

function guarded(name: string, guards: Partial<Guards>, breaks: string): Alteration {
  const transition = transitionOf(TABLE, { ...GUARDS, ...guards });
  return { name, core: { ...CORE, transition }, breaks };
}

function factual(
  name: string,
  phase: Phase,
  change: (facts: Facts) => Facts,
  breaks: string,
): Alteration {
  return {
    name,
    core: { ...CORE, facts: { ...PHASE_FACTS, [phase]: change(PHASE_FACTS[phase]) } },
    breaks,
  };
}

function judged(name: string, outcomes: Partial<Core>, breaks: string): Alteration {
  return { name, core: { ...CORE, ...outcomes }, breaks };
}

const withoutTimer = ({ timer: _timer, ...facts }: Facts): Facts => facts;

function lastOfTheMostSevere(requests: readonly CloseRequest[]): number {
  const highest = Math.max(...requests.map(({ precedence }) => precedence));
  return requests.findLastIndex(({ precedence }) => precedence === highest);
}

/** Mistakes in what the table refers to, and in the verdicts. */
export const RULE_ALTERATIONS: readonly Alteration[] = [
  deciding(
    'the first request decides',
    () => 0,
    'G4 the most severe request made before the close frame decides',
  ),
  deciding(
    'the last request decides',
    (requests) => requests.length - 1,
    'G4 the most severe request made before the close frame decides',
  ),
  deciding(
    'of equally severe requests the last decides',
    lastOfTheMostSevere,
    'G4 the most severe request made before the close frame decides',
  ),

  guarded(
    'nobody lets handlers finish',
    { finish: () => false },
    'G8 no running handler is aborted without a reason',
  ),
  guarded(
    'everybody lets handlers finish',
    { finish: () => true },
    'G8 handlers are aborted at once where somebody asked for it or the peer has gone',
  ),
  guarded(
    'handlers are not waited for',
    { running: () => false },
    'G8 no running handler is aborted without a reason',
  ),
  guarded(
    'handlers are waited for whatever was asked',
    { running: (_context, event) => 'running' in event && event.running },
    'G8 a reply of an aborted handler is refused once the macrotask is over',
  ),
  guarded(
    'handlers are waited for although the peer has gone',
    {
      running: (context, event) =>
        'running' in event && event.running && context.handlers === 'finish',
    },
    'G8 a reply of an aborted handler is refused once the macrotask is over',
  ),
  guarded(
    'nothing is ever unwritten',
    { unwritten: () => false },
    'G2 a close frame follows every message that was accepted and is not lost',
  ),
  guarded(
    'an answer is awaited from a peer that closed',
    { answering: ({ deaf }) => deaf },
    "G5 no answer is awaited that can't be read",
  ),
  guarded(
    'an answer is awaited although nothing is read any more',
    { answering: ({ received }) => received !== undefined },
    "G5 no answer is awaited that can't be read",
  ),
  guarded(
    'every close frame counts as an answer',
    { crossing: () => false },
    'G4 the socket is closed only once the peer has read all before our close frame, and closed',
  ),
  guarded(
    'no close frame counts as an answer',
    { crossing: ({ sent }) => !!sent },
    'G4 a crossed close was begun by both, or the peer answers no pings',
  ),

  factual(
    'a connection need not become ready',
    'connecting',
    withoutTimer,
    'G5 every phase but open and closed has a timer or awaits the macrotask',
  ),
  factual(
    'handlers may take forever',
    'draining.handlers',
    withoutTimer,
    'G5 every phase but open and closed has a timer or awaits the macrotask',
  ),
  factual(
    'a reader may take forever',
    'draining.flush',
    withoutTimer,
    'G5 every phase but open and closed has a timer or awaits the macrotask',
  ),
  factual(
    'an answer may take forever',
    'closing.handshake',
    withoutTimer,
    'G5 every phase but open and closed has a timer or awaits the macrotask',
  ),
  factual(
    'the end of the socket may take forever',
    'closing.end',
    withoutTimer,
    'G5 every phase but open and closed has a timer or awaits the macrotask',
  ),
  factual(
    'the end of a destroyed socket may take forever',
    'closing.terminate',
    withoutTimer,
    'G5 every phase but open and closed has a timer or awaits the macrotask',
  ),
  factual(
    'a reader may take forever as long as it reads',
    'draining.flush',
    (facts) => ({ ...facts, capped: false }),
    'G5 the cap runs from the beginning of a close until the socket is destroyed',
  ),
  factual(
    'a closed connection has a timer',
    'closed',
    (facts) => ({ ...facts, timer: 'handshake' }),
    'G14 a closed connection has no timer',
  ),
  factual(
    'messages are accepted while others are flushed',
    'draining.flush',
    (facts) => ({ ...facts, accepts: true }),
    'G8 handlers are cut off once replies are refused',
  ),
  factual(
    'messages are accepted behind the close frame',
    'closing.handshake',
    (facts) => ({ ...facts, accepts: true }),
    'G8 handlers are cut off once replies are refused',
  ),
  factual(
    'messages are accepted after the end',
    'closed',
    (facts) => ({ ...facts, accepts: true }),
    'G3 nothing is accepted that has no outcome',
  ),
  factual(
    'messages are refused from the moment of the close',
    'draining.macrotask',
    (facts) => ({ ...facts, accepts: false }),
    'G2 what is sent in the macrotask of a close is accepted',
  ),
  factual(
    'replies are refused while handlers may finish',
    'draining.handlers',
    (facts) => ({ ...facts, accepts: false }),
    'G8 handlers are cut off once replies are refused',
  ),
  factual(
    'handlers start before the connection is ready',
    'connecting',
    (facts) => ({ ...facts, dispatches: true }),
    'G7 no handler starts before handleConnection has settled',
  ),
  factual(
    'handlers start while others finish',
    'draining.handlers',
    (facts) => ({ ...facts, dispatches: true }),
    'G8 no handler starts once closing has begun',
  ),

  judged(
    'no request is superseded',
    {
      closeVerdict: (context, closeWritten) => {
        const verdict = CORE.closeVerdict(context, closeWritten);
        const requests = verdict.requests.map((request) => ({ ...request, superseded: false }));
        return { ...verdict, requests };
      },
    },
    'G4 the outcome lists all but the deciding request as superseded',
  ),
  judged(
    'the network is always the initiator',
    {
      closeVerdict: (context, closeWritten) => ({
        ...CORE.closeVerdict(context, closeWritten),
        initiator: 'network',
      }),
    },
    'G4 the initiator is who began',
  ),
  judged(
    'the code is the one that the peer sent',
    {
      closeVerdict: (context, closeWritten) => ({
        ...CORE.closeVerdict(context, closeWritten),
        ...context.received,
      }),
    },
    'G4 both sides agree on the code of a clean close',
  ),
  judged(
    'what ended without an answer was lost',
    {
      closeVerdict: (context, closeWritten) => {
        const verdict = CORE.closeVerdict(context, closeWritten);
        return verdict.handshake === 'terminated' ? { ...verdict, handshake: 'lost' } : verdict;
      },
    },
    'G4 a close is terminated or lost if and only if the frames were not exchanged',
  ),
  judged(
    'a close frame counts as exchanged before the kernel has it',
    {
      closeVerdict: (context) => CORE.closeVerdict(context),
    },
    'G4 a close is terminated or lost if and only if the frames were not exchanged',
  ),
  judged(
    'the cause of a loss is always the network',
    { lossCause: () => 'network' },
    'G3 the cause of a loss is the true one',
  ),
  judged(
    'the cause of a refusal is always the close',
    { refusalCause: () => 'closing' },
    'G3 a refusal says who began to close',
  ),

  judged(
    'there is always room',
    { admissionOf: () => 'queue' },
    'G11 no more waits than there is room for, but for one message',
  ),
  judged(
    'who waits for room is overtaken',
    {
      admissionOf: (policy, bytes, state, patient) =>
        admissionOf(
          policy,
          bytes,
          { ...state, handed: state.handed + state.waiting, waiting: 0 },
          patient,
        ),
    },
    'G2 nobody overtakes those who wait for room',
  ),
  judged(
    'a slow consumer is only refused',
    {
      admissionOf: (policy, ...rest) =>
        admissionOf(policy === 'close' ? 'refuse' : policy, ...rest),
    },
    'G11 a slow consumer is closed, where that is the policy',
  ),
];
