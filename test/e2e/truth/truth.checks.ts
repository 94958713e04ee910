import { RACE_LEVELS } from '../../../src/index.js';
import { CLOSE_CHECKS } from './close.checks.js';
import type { Check, ConnectionRecord } from './connection.record.js';
import { MESSAGE_CHECKS } from './message.checks.js';

const lifeIsTold: Check = ({ events, outcome, disconnects }, say) => {
  const closed = events.filter((event) => event.type === 'closed');
  const closing = events.filter((event) => event.type === 'closing').length;
  const ready = events.filter((event) => event.type === 'ready').length;
  const opened = events.filter((event) => event.type === 'opened').length;
  if (opened !== 1) say(`opened was told ${opened} times`);
  if (ready > 1) say(`ready was told ${ready} times`);
  if (closing !== 1) say(`closing was told ${closing} times`);
  if (closed.length !== 1) say(`closed was told ${closed.length} times`);
  else if (closed[0]!.outcome !== outcome) say('closed was told with another outcome');
  if (disconnects !== 1) say(`handleDisconnect ran ${disconnects} times`);
  for (const event of events) {
    if (event.type === 'race' && RACE_LEVELS[event.kind] === 'defect') {
      say(`${event.kind}: ${String(event.error ?? event.message ?? '')}`);
    }
  }
};

const CHECKS: readonly Check[] = [...MESSAGE_CHECKS, ...CLOSE_CHECKS, lifeIsTold];

/** Everything in what the server was told of a connection that its client contradicts. */
export function findViolations(record: ConnectionRecord): string[] {
  const violations = [...record.faults];
  for (const check of CHECKS) check(record, (text) => violations.push(text));
  return violations;
}
