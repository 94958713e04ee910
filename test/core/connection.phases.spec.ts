import { describe, expect, it } from '@jest/globals';
import { PHASE_FACTS, PHASES } from '../../src/core/connection.phases.js';

const FACTS = PHASES.map((phase) => ({ phase, ...PHASE_FACTS[phase] }));

function phasesThat(fact: (facts: (typeof FACTS)[number]) => boolean): string[] {
  return FACTS.filter(fact).map(({ phase }) => phase);
}

describe('the phases of a connection', () => {
  it('stand in the order in which they are passed', () => {
    expect(PHASES).toEqual([
      'connecting',
      'open',
      'draining.macrotask',
      'draining.handlers',
      'draining.flush',
      'closing.handshake',
      'closing.end',
      'closing.terminate',
      'closed',
    ]);
  });

  it('are all described, and nothing else is', () => {
    expect(Object.keys(PHASE_FACTS)).toEqual([...PHASES]);
  });

  it('begin with the state that users see', () => {
    for (const { phase, state } of FACTS) expect(phase.split('.')[0]).toBe(state);
  });

  it('accept messages until those that were accepted are flushed', () => {
    expect(phasesThat(({ accepts }) => accepts)).toEqual([
      'connecting',
      'open',
      'draining.macrotask',
      'draining.handlers',
    ]);
  });

  it('start handlers only while nobody has closed and the connection is ready', () => {
    expect(phasesThat(({ dispatches }) => dispatches)).toEqual(['open']);
  });

  it('are capped from the beginning of a close until the socket is destroyed', () => {
    expect(phasesThat(({ capped }) => capped)).toEqual([
      'draining.macrotask',
      'draining.handlers',
      'draining.flush',
      'closing.handshake',
      'closing.end',
    ]);
  });

  it('have a timer each, but for those that last and the one that ends with the macrotask', () => {
    expect(FACTS.map(({ phase, timer }) => [phase, timer])).toEqual([
      ['connecting', 'ready'],
      ['open', undefined],
      ['draining.macrotask', undefined],
      ['draining.handlers', 'settle'],
      ['draining.flush', 'flush'],
      ['closing.handshake', 'handshake'],
      ['closing.end', 'handshake'],
      ['closing.terminate', 'handshake'],
      ['closed', undefined],
    ]);
  });
});
