import { describe, expect, it } from '@jest/globals';
import { TABLE } from '../../../src/core/connection.table.js';
import { withTable } from './alteration.types.js';
import { explore } from './exploration.search.js';
import { RULE_ALTERATIONS } from './rule.alterations.js';
import { SKETCHES } from './scenario.list.js';
import { TABLE_ALTERATIONS } from './table.alterations.js';

describe('the exploration says which guarantee is broken where', () => {
  it.each([...TABLE_ALTERATIONS, ...RULE_ALTERATIONS])('$name', ({ core, breaks }) => {
    expect(explore(core, SKETCHES).violation?.invariant).toBe(breaks);
  });
});

describe('the trace of a violation', () => {
  it('is the shortest way to it, with what each event made of the connection', () => {
    const { core } = TABLE_ALTERATIONS.find(
      ({ name }) => name === 'a close that crossed ours counts as answered',
    )!;
    expect(explore(core, SKETCHES).violation?.trace).toBe(`(open)
1. somebody closes: 1000, severity 10, abort
      closeRequested: open → draining.macrotask; discard-waiting, abort-handlers, await-macrotask
2. the macrotask ends
      macrotaskEnded: draining.macrotask → closing.handshake; abort-handlers, write-ping, write-close
3. the kernel takes P
      progress: closing.handshake; restart-timer
4. the kernel takes X
      progress: closing.handshake; restart-timer
5. the peer closes on its own
6. we read x
      peerClosed: closing.handshake → closing.end; end-socket
7. the network ends the socket
      socketClosed: closing.end → closed; settle`);
  });

  it('ends with the event that the table does not know', () => {
    const table = TABLE.filter(({ on }) => on !== 'terminateRequested');
    expect(explore(withTable(table), SKETCHES).violation).toEqual({
      invariant: 'every event that can happen stands in the table',
      trace: `(open)
1. somebody terminates
      IllegalEventError: A connection in "open" can't take the event "terminateRequested".`,
    });
  });
});
