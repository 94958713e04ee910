import { describe, expect, it } from '@jest/globals';
import type { CloseRequest } from '../../src/core/close-request.js';
import { CONNECTING, OPEN, type ConnectionContext } from '../../src/core/connection.context.js';
import type { ConnectionEvent } from '../../src/core/connection.events.js';
import { GUARDS, TABLE } from '../../src/core/connection.table.js';
import { closeFrameOf, transition, transitionOf } from '../../src/core/connection.transition.js';
import { IllegalEventError } from '../../src/core/errors.js';

function request(
  code: number | undefined,
  precedence: number,
  handlers: CloseRequest['handlers'] = 'finish',
): CloseRequest {
  return { code, reason: `code ${code}`, precedence, handlers, at: precedence };
}

const POLITE = request(1000, 10);
const SEVERE = request(4000, 30);
const peerClosed = { type: 'peerClosed', frame: { code: 3999, reason: 'I leave' } } as const;
const macrotaskEnded = { type: 'macrotaskEnded', running: false, unwritten: false } as const;
const handlersRun = { type: 'macrotaskEnded', running: true, unwritten: false } as const;
const closedBy = (by: CloseRequest): ConnectionEvent => ({ type: 'closeRequested', request: by });

function illegal(): unknown {
  return transition(OPEN, { type: 'flushed' });
}

/** What is known after a number of events. */
function after(context: ConnectionContext, ...events: ConnectionEvent[]): ConnectionContext {
  return events.reduce((known, event) => transition(known, event).context, context);
}

describe('a transition', () => {
  it('gives the next context and the effects, in the order of the table', () => {
    expect(transition(OPEN, closedBy(request(1000, 10, 'abort')))).toEqual({
      context: {
        ...OPEN,
        phase: 'draining.macrotask',
        initiator: 'server',
        requests: [request(1000, 10, 'abort')],
        handlers: 'abort',
      },
      effects: ['discard-waiting', 'abort-handlers', 'await-macrotask'],
    });
  });

  it('changes nothing of the context that it is given', () => {
    const before = Object.freeze(after(OPEN, closedBy(POLITE)));
    const copy = structuredClone(before);
    transition(before, closedBy(SEVERE));
    transition(before, peerClosed);
    transition(before, macrotaskEnded);
    expect(before).toEqual(copy);
  });

  it('gives the same context and no effects for an event that comes too late to matter', () => {
    const closed: ConnectionContext = { ...OPEN, phase: 'closed', initiator: 'peer' };
    const step = transition(closed, closedBy(POLITE));
    expect(step.context).toBe(closed);
    expect(step.effects).toEqual([]);
  });

  it('shares one context among all open connections', () => {
    expect(transition(CONNECTING, { type: 'ready' }).context).toBe(OPEN);
  });

  it('throws where the event can’t happen, and changes nothing', () => {
    expect(illegal).toThrow(IllegalEventError);
    expect(illegal).toThrow('A connection in "open" can\'t take the event "flushed".');
    expect(OPEN.phase).toBe('open');
  });

  it('throws in a phase that takes no events at all', () => {
    expect(() => transitionOf([])(OPEN, { type: 'ready' })).toThrow(IllegalEventError);
  });

  it('takes the first row whose guard holds', () => {
    const altered = transitionOf([
      { from: ['open'], on: 'progress', when: 'crossing', effects: ['acknowledge'] },
      { from: ['open'], on: 'progress', when: 'answering', effects: ['settle'] },
      { from: ['open'], on: 'progress', effects: ['restart-timer'] },
    ]);
    const effectsOf = (known: Partial<ConnectionContext>): readonly string[] =>
      altered({ ...OPEN, ...known }, { type: 'progress' }).effects;
    expect(effectsOf({ deaf: true, sent: peerClosed.frame })).toEqual(['acknowledge']);
    expect(effectsOf({ deaf: true })).toEqual(['settle']);
    expect(effectsOf({})).toEqual(['restart-timer']);
  });
});

describe('the guards of the table', () => {
  it('know whether a request lets handlers finish', () => {
    expect(GUARDS.finish(OPEN, closedBy(request(1000, 10, 'finish')))).toBe(true);
    expect(GUARDS.finish(OPEN, closedBy(request(1000, 10, 'abort')))).toBe(false);
  });

  it('wait for handlers that run, if everybody lets them finish and the peer is there', () => {
    expect(GUARDS.running(OPEN, handlersRun)).toBe(true);
    expect(GUARDS.running(OPEN, macrotaskEnded)).toBe(false);
    expect(GUARDS.running({ ...OPEN, handlers: 'abort' }, handlersRun)).toBe(false);
    expect(GUARDS.running({ ...OPEN, received: peerClosed.frame }, handlersRun)).toBe(false);
  });

  it('know whether something is unwritten', () => {
    expect(GUARDS.unwritten(OPEN, { type: 'settleTimeout', unwritten: true })).toBe(true);
    expect(GUARDS.unwritten(OPEN, { type: 'settleTimeout', unwritten: false })).toBe(false);
  });

  it('know whether an answer can still be read', () => {
    expect(GUARDS.answering(OPEN, macrotaskEnded)).toBe(false);
    expect(GUARDS.answering({ ...OPEN, deaf: true }, macrotaskEnded)).toBe(true);
    expect(GUARDS.answering({ ...OPEN, received: peerClosed.frame }, macrotaskEnded)).toBe(true);
  });

  it('take a close frame for an answer only if the pong came before it', () => {
    const sent = { code: 1000, reason: '' };
    expect(GUARDS.crossing(OPEN, peerClosed)).toBe(false);
    expect(GUARDS.crossing({ ...OPEN, sent }, peerClosed)).toBe(true);
    expect(GUARDS.crossing({ ...OPEN, sent, acknowledged: true }, peerClosed)).toBe(false);
  });
});

describe('the close frame', () => {
  it('is that of the most severe request', () => {
    const known = after(OPEN, closedBy(POLITE), closedBy(SEVERE), macrotaskEnded);
    expect(known).toMatchObject({ sent: { code: 4000, reason: 'code 4000' }, decided: 1 });
  });

  it('is that of the request which the given rule chooses', () => {
    const first = transitionOf(TABLE, GUARDS, () => 0);
    const { context } = first(after(OPEN, closedBy(POLITE), closedBy(SEVERE)), macrotaskEnded);
    expect(context).toMatchObject({ sent: { code: 1000, reason: 'code 1000' }, decided: 0 });
  });

  it('is 1005 where the deciding request has no code', () => {
    const known = after(OPEN, closedBy(request(undefined, 0)), macrotaskEnded);
    expect(known.sent).toEqual({ code: 1005, reason: 'code undefined' });
  });

  it('echoes that of a peer which began, whatever was requested since', () => {
    const known = after(OPEN, peerClosed, closedBy(SEVERE), macrotaskEnded);
    expect(known.sent).toBe(peerClosed.frame);
    expect(known.decided).toBeUndefined();
  });

  it('is ours where the peer’s crossed it', () => {
    const known = after(OPEN, closedBy(POLITE), peerClosed, macrotaskEnded);
    expect(known).toMatchObject({
      sent: { code: 1000 },
      received: peerClosed.frame,
      crossed: true,
      phase: 'closing.end',
    });
  });

  it('does not change once it is written', () => {
    const known = after(OPEN, closedBy(POLITE), macrotaskEnded, closedBy(SEVERE));
    expect(known).toMatchObject({ sent: { code: 1000 }, decided: 0, requests: [POLITE, SEVERE] });
  });
});

describe('what is written down', () => {
  it('is every request, in order', () => {
    const known = after(OPEN, closedBy(SEVERE), closedBy(POLITE));
    expect(known.requests).toEqual([SEVERE, POLITE]);
  });

  it('is that handlers may finish only as long as everybody agrees', () => {
    const strict = request(1000, 10, 'abort');
    expect(after(OPEN, closedBy(POLITE)).handlers).toBe('finish');
    expect(after(OPEN, closedBy(POLITE), closedBy(strict)).handlers).toBe('abort');
    expect(after(OPEN, closedBy(strict), closedBy(POLITE)).handlers).toBe('abort');
  });

  it.each(['rejected', 'overflowed', 'readyTimeout', 'protocolFailed'] as const)(
    'is that handlers are aborted, whatever the request says: %s',
    (type) => {
      expect(after(CONNECTING, { type, request: POLITE })).toMatchObject({
        requests: [POLITE],
        handlers: 'abort',
        initiator: 'server',
      });
    },
  );

  it.each([
    [{ type: 'peerClosed', frame: { code: 1000, reason: '' } }, 'peer'],
    [{ type: 'peerEnded' }, 'network'],
    [{ type: 'socketClosed' }, 'network'],
    [{ type: 'terminateRequested' }, 'server'],
  ] as [ConnectionEvent, string][])('is who began: $0.type', (event, initiator) => {
    expect(after(OPEN, event).initiator).toBe(initiator);
  });

  it.each([
    ['deaf', after(OPEN, { type: 'protocolFailed', request: SEVERE })],
    ['ended', after(OPEN, { type: 'peerEnded' })],
    ['crossed', after(OPEN, closedBy(POLITE), peerClosed)],
    ['acknowledged', after(OPEN, closedBy(POLITE), macrotaskEnded, { type: 'closePong' })],
  ] as const)('is that it is %s, and no more than that', (known, context) => {
    const { deaf, ended, crossed, acknowledged } = context;
    expect({ deaf, ended, crossed, acknowledged }).toEqual({
      deaf: false,
      ended: false,
      crossed: false,
      acknowledged: false,
      [known]: true,
    });
  });

  it('is why the socket was destroyed', () => {
    const flushing = after(OPEN, closedBy(POLITE), { ...macrotaskEnded, unwritten: true });
    expect(after(flushing, { type: 'flushTimeout' }).destroyed).toBe('flush-timeout');
    expect(after(flushing, { type: 'terminateRequested' }).destroyed).toBe('terminated');
  });
});

describe('the frame that a connection ended with', () => {
  const sent = { code: 1000, reason: 'ours' };
  const received = { code: 3999, reason: 'theirs' };

  it.each([
    ['ours, where we began', { initiator: 'server', sent, received }, sent],
    ['the peer’s, where the peer began', { initiator: 'peer', sent, received }, received],
    ['the peer’s, where we wrote none', { initiator: 'server', received }, received],
    ['1006, where there was none', { initiator: 'network' }, { code: 1006, reason: '' }],
    ['1006, where nothing of the peer was read', { initiator: 'peer' }, { code: 1006, reason: '' }],
  ] as [string, Partial<ConnectionContext>, unknown][])('is %s', (_which, known, frame) => {
    expect(closeFrameOf({ ...OPEN, ...known })).toEqual(frame);
  });
});
