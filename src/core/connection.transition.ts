import { ABNORMAL_CLOSURE, NO_STATUS_RECEIVED } from './close-code.js';
import { decidingRequest, type CloseFrame } from './close-request.js';
import { OPEN, type ConnectionContext } from './connection.context.js';
import type { Effect } from './connection.effects.js';
import type { ConnectionEvent, EventType } from './connection.events.js';
import type { Phase } from './connection.phases.js';
import { GUARDS, TABLE, type Guard, type Guards, type Note, type Row } from './connection.table.js';
import { IllegalEventError } from './errors.js';

export interface Step {
  readonly context: ConnectionContext;
  readonly effects: readonly Effect[];
}

export type Transition = (context: ConnectionContext, event: ConnectionEvent) => Step;

const NOTHING: readonly never[] = [];

/** A row of the table; all of one shape, as V8 keeps no more than four for each place. */
interface Rule {
  readonly holds: Guards[Guard] | undefined;
  readonly to: Phase | undefined;
  readonly notes: readonly Note[];
  readonly effects: readonly Effect[];
}

function ruleOf({ when, to, notes = NOTHING, effects = NOTHING }: Row, guards: Guards): Rule {
  return { holds: when && guards[when], to, notes, effects };
}

type Decide = typeof decidingRequest;

type Draft = { -readonly [Field in keyof ConnectionContext]: ConnectionContext[Field] };

/**
 * Field by field, as a close takes half a dozen of these, and a copy by spread costs V8 several
 * times as much once there are copies of copies.
 */
function draftOf(context: ConnectionContext): Draft {
  return {
    phase: context.phase,
    initiator: context.initiator,
    requests: context.requests,
    handlers: context.handlers,
    sent: context.sent,
    decided: context.decided,
    received: context.received,
    deaf: context.deaf,
    ended: context.ended,
    acknowledged: context.acknowledged,
    crossed: context.crossed,
    destroyed: context.destroyed,
  };
}

/** The frame that decides among what was asked, or that answers the peer's. */
function decideFrame(draft: Draft, decide: Decide): void {
  if (draft.initiator === 'peer' && draft.received) {
    draft.sent = draft.received;
    return;
  }
  draft.decided = decide(draft.requests);
  const { code, reason } = draft.requests[draft.decided]!;
  draft.sent = { code: code ?? NO_STATUS_RECEIVED, reason };
}

function take(draft: Draft, note: Note, event: ConnectionEvent, decide: Decide): void {
  switch (note) {
    case 'request': {
      const { request } = event as Extract<ConnectionEvent, { request: unknown }>;
      draft.requests = draft.requests.concat(request);
      const finish = event.type === 'closeRequested' && request.handlers === 'finish';
      if (!finish) draft.handlers = 'abort';
      break;
    }
    case 'received':
      draft.received = (event as Extract<ConnectionEvent, { frame: unknown }>).frame;
      break;
    case 'sent':
      decideFrame(draft, decide);
      break;
    case 'crossed':
      draft.crossed = true;
      break;
    case 'deaf':
      draft.deaf = true;
      break;
    case 'ended':
      draft.ended = true;
      break;
    case 'acknowledged':
      draft.acknowledged = true;
      break;
    case 'flush-timeout':
    case 'terminated':
      draft.destroyed = note;
      break;
    case 'initiator:server':
      draft.initiator = 'server';
      break;
    case 'initiator:peer':
      draft.initiator = 'peer';
      break;
    case 'initiator:network':
      draft.initiator = 'network';
      break;
  }
}

/** Builds the transition function of a table, so that a test can run altered rules. */
export function transitionOf(
  table: readonly Row[],
  guards: Guards = GUARDS,
  decide: Decide = decidingRequest,
): Transition {
  const rules = new Map<Phase, Map<EventType, Rule[]>>();
  for (const row of table) {
    const rule = ruleOf(row, guards);
    for (const phase of row.from) {
      const events = rules.get(phase) ?? new Map<EventType, Rule[]>();
      rules.set(phase, events);
      events.set(row.on, [...(events.get(row.on) ?? []), rule]);
    }
  }
  // By index here, as the first closes of a process are over before this is compiled.
  return (context, event) => {
    const candidates = rules.get(context.phase)?.get(event.type) ?? NOTHING;
    let rule: Rule | undefined;
    for (let i = 0; i < candidates.length && !rule; i++) {
      const { holds } = candidates[i]!;
      if (holds === undefined || holds(context, event)) rule = candidates[i];
    }
    if (!rule) throw new IllegalEventError(context.phase, event.type);
    const { to, notes, effects } = rule;
    if (to === 'open') return { context: OPEN, effects };
    if (to === undefined && notes.length === 0) return { context, effects };
    const draft = draftOf(context);
    for (let i = 0; i < notes.length; i++) take(draft, notes[i]!, event, decide);
    if (to) draft.phase = to;
    return { context: draft, effects };
  };
}

/**
 * What an event makes of a connection: its next context, and the effects to perform in order.
 * Pure. Throws `IllegalEventError`, and changes nothing, where the table has no row.
 */
export const transition: Transition = transitionOf(TABLE);

/** The code both sides agree the connection ended with; 1006 where no close frame was seen. */
export function closeFrameOf(context: ConnectionContext): CloseFrame {
  const frame =
    context.initiator === 'peer' ? context.received : (context.sent ?? context.received);
  return frame ?? { code: ABNORMAL_CLOSURE, reason: '' };
}
