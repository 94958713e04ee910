import { ABNORMAL_CLOSURE, NO_STATUS_RECEIVED } from './close-code.js';
import { decidingRequest, type CloseFrame } from './close-request.js';
import { OPEN, type ConnectionContext } from './connection.context.js';
import type { Effect } from './connection.effects.js';
import type { ConnectionEvent, EventType } from './connection.events.js';
import type { Phase } from './connection.phases.js';
import { GUARDS, TABLE, type Guards, type Note, type Row } from './connection.table.js';
import { IllegalEventError } from './errors.js';

export interface Step {
  readonly context: ConnectionContext;
  readonly effects: readonly Effect[];
}

export type Transition = (context: ConnectionContext, event: ConnectionEvent) => Step;

const NOTHING: readonly never[] = [];

const INITIATORS = {
  'initiator:server': 'server',
  'initiator:peer': 'peer',
  'initiator:network': 'network',
} as const;

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
    case 'deaf':
    case 'ended':
    case 'acknowledged':
      draft[note] = true;
      break;
    case 'flush-timeout':
    case 'terminated':
      draft.destroyed = note;
      break;
    default:
      draft.initiator = INITIATORS[note];
  }
}

/** Builds the transition function of a table, so that a test can run altered rules. */
export function transitionOf(
  table: readonly Row[],
  guards: Guards = GUARDS,
  decide: Decide = decidingRequest,
): Transition {
  const rows = new Map<Phase, Map<EventType, Row[]>>();
  for (const row of table) {
    for (const phase of row.from) {
      const events = rows.get(phase) ?? new Map<EventType, Row[]>();
      rows.set(phase, events);
      events.set(row.on, [...(events.get(row.on) ?? []), row]);
    }
  }
  // By index here, as the first closes of a process are over before this is compiled.
  return (context, event) => {
    const candidates = rows.get(context.phase)?.get(event.type) ?? NOTHING;
    let row: Row | undefined;
    for (let i = 0; i < candidates.length && !row; i++) {
      const { when } = candidates[i]!;
      if (when === undefined || guards[when](context, event)) row = candidates[i];
    }
    if (!row) throw new IllegalEventError(context.phase, event.type);
    const { to, notes = NOTHING, effects = NOTHING } = row;
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
