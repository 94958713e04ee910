import { ABNORMAL_CLOSURE, NO_STATUS_RECEIVED } from './close-code.js';
import { decidingRequest, type CloseFrame } from './close-request.js';
import { OPEN, type ConnectionContext, type Initiator } from './connection.context.js';
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

const NO_EFFECTS: readonly Effect[] = [];

type Decide = typeof decidingRequest;

/** The frame that decides among what was asked, or that answers the peer's. */
function frameToSend(
  context: ConnectionContext,
  decide: Decide,
): { sent: CloseFrame; decided?: number } {
  if (context.initiator === 'peer' && context.received) return { sent: context.received };
  const decided = decide(context.requests);
  const request = context.requests[decided]!;
  return { sent: { code: request.code ?? NO_STATUS_RECEIVED, reason: request.reason }, decided };
}

function noted(
  context: ConnectionContext,
  note: Note,
  event: ConnectionEvent,
  decide: Decide,
): ConnectionContext {
  switch (note) {
    case 'request': {
      const { request } = event as Extract<ConnectionEvent, { request: unknown }>;
      const abort = event.type !== 'closeRequested' || request.handlers === 'abort';
      return {
        ...context,
        requests: [...context.requests, request],
        handlers: abort ? 'abort' : context.handlers,
      };
    }
    case 'received':
      return {
        ...context,
        received: (event as Extract<ConnectionEvent, { frame: unknown }>).frame,
      };
    case 'sent':
      return { ...context, ...frameToSend(context, decide) };
    case 'crossed':
      return { ...context, crossed: true };
    case 'deaf':
      return { ...context, deaf: true };
    case 'ended':
      return { ...context, ended: true };
    case 'acknowledged':
      return { ...context, acknowledged: true };
    case 'flush-timeout':
    case 'terminated':
      return { ...context, destroyed: note };
    default:
      return { ...context, initiator: note.slice('initiator:'.length) as Initiator };
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
  return (context, event) => {
    const row = rows
      .get(context.phase)
      ?.get(event.type)
      ?.find(({ when }) => when === undefined || guards[when](context, event));
    if (!row) throw new IllegalEventError(context.phase, event.type);
    let next = context;
    for (const note of row.notes ?? []) next = noted(next, note, event, decide);
    if (row.to === 'open') next = OPEN;
    else if (row.to) next = { ...next, phase: row.to };
    return { context: next, effects: row.effects ?? NO_EFFECTS };
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
