import { describe, expect, it } from '@jest/globals';
import { CONNECTING, OPEN } from '../../src/core/connection.context.js';

describe('a connection that nobody has closed', () => {
  it.each([
    ['connecting', CONNECTING],
    ['open', OPEN],
  ])('is %s, and nothing is known of its end', (phase, context) => {
    expect(context).toStrictEqual({
      phase,
      initiator: undefined,
      requests: [],
      handlers: 'finish',
      sent: undefined,
      decided: undefined,
      received: undefined,
      deaf: false,
      ended: false,
      acknowledged: false,
      crossed: false,
      destroyed: undefined,
    });
  });

  it.each([CONNECTING, OPEN])('shares what nobody can change: $phase', (context) => {
    expect(Object.isFrozen(context)).toBe(true);
    expect(Object.isFrozen(context.requests)).toBe(true);
  });
});
