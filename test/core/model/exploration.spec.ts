import { describe, expect, it, jest } from '@jest/globals';
import { CORE } from './core.parts.js';
import { explore } from './exploration.search.js';
import { SCENARIOS } from './scenario.list.js';

jest.setTimeout(60_000);

/** How many states each exploration visits: fewer would mean that it has gone blind. */
const STATES = new Map([
  ['a message and a close', 523],
  ['a handler and two who close', 2_719],
  ['two handlers that both who close let finish', 5_340],
  ['a handler that another message waits for', 1_939],
  ['a handler that another message waits for, and a peer that breaks or ends its stream', 7_563],
  ['a peer that breaks or ends its stream', 3_333],
  ['a handler, and a peer that breaks or ends its stream', 6_730],
  ['a hook that is waited for', 10_192],
  ['a hook that is waited for, and a peer that breaks or ends its stream', 4_059],
  ['a hook that nobody waits for', 3_049],
  ['a slow consumer', 2_302],
  ['a slow consumer whose handler may finish', 1_499],
  ['messages that are dropped or conflated', 559],
  ['senders that wait for room', 1_142],
  ['a slow consumer, and every way in which it leaves', 75_364],
  ['senders that wait for room, a handler, and a ping', 56_932],
  ['messages that are dropped or conflated, and a ping', 78_926],
  ['three messages', 5_796],
  ['two messages and a ping', 20_655],
  ['two handlers that speak when they are aborted', 36_697],
  ['three who close', 26_837],
  ['one who insists and one without a code', 28_459],
  ['a hook that is waited for, and two messages', 54_472],
  ['a hook that nobody waits for, and two who close', 27_280],
  ['a hook that is waited for, and every way in which a peer leaves', 75_302],
]);

describe('whatever happens to a connection, in whatever order', () => {
  it.each(SCENARIOS)('every guarantee holds: $name', (scenario) => {
    const { violation, states } = explore(CORE, [scenario]);
    expect(violation).toBeUndefined();
    expect(states).toBe(STATES.get(scenario.name));
  });
});
