import { describe, expect, it } from '@jest/globals';
import type { CloseFrame, CloseRequest } from '../../src/core/close-request.js';
import { CONNECTING, OPEN, type ConnectionContext } from '../../src/core/connection.context.js';
import { PHASE_FACTS, PHASES } from '../../src/core/connection.phases.js';
import { closeVerdict, lossCause, refusalCause } from '../../src/core/outcomes.js';

const OURS: CloseFrame = { code: 1001, reason: 'going away' };
const THEIRS: CloseFrame = { code: 3999, reason: 'the peer leaves' };

function request(code: number | undefined, precedence: number): CloseRequest {
  return { code, reason: `asked for ${code}`, precedence, handlers: 'abort', at: precedence };
}

function ended(known: Partial<ConnectionContext>): ConnectionContext {
  return { ...OPEN, phase: 'closed', initiator: 'server', ...known };
}

describe('the handshake of a close', () => {
  const cases: [handshake: string, how: string, known: Partial<ConnectionContext>][] = [
    ['clean', 'both frames were exchanged', { sent: OURS, received: OURS }],
    [
      'clean',
      'we were still to destroy the socket',
      {
        sent: OURS,
        received: OURS,
        destroyed: 'terminated',
      },
    ],
    ['clean', 'the peer had ended its stream', { sent: OURS, received: OURS, ended: true }],
    ['crossed', 'both began', { sent: OURS, received: THEIRS, crossed: true }],
    ['terminated', 'we did not wait for the answer', { sent: OURS, destroyed: 'terminated' }],
    ['terminated', 'we did not answer', { received: THEIRS, destroyed: 'terminated' }],
    ['terminated', 'the reader was too slow', { destroyed: 'flush-timeout' }],
    ['terminated', 'the peer broke the protocol', { sent: OURS, deaf: true }],
    ['lost', 'the socket ended first', {}],
    ['lost', 'the socket ended before the answer', { sent: OURS }],
    ['lost', 'the socket ended before we answered', { received: THEIRS }],
    ['lost', 'the socket ended before we told the peer what it broke', { deaf: true }],
    ['lost', 'the peer ended its stream', { ended: true, destroyed: 'terminated' }],
    [
      'lost',
      'the peer ended its stream without an answer',
      {
        sent: OURS,
        deaf: true,
        ended: true,
      },
    ],
  ];

  it.each(cases)('is %s where %s', (handshake, _how, known) => {
    expect(closeVerdict(ended(known)).handshake).toBe(handshake);
  });

  it('did not take place where the kernel never got our close frame', () => {
    const context = ended({ sent: OURS, received: THEIRS });
    expect(closeVerdict(context, true).handshake).toBe('clean');
    expect(closeVerdict(context, false).handshake).toBe('lost');
    expect(closeVerdict({ ...context, destroyed: 'terminated' }, false).handshake).toBe(
      'terminated',
    );
  });
});

describe('the verdict on a close', () => {
  it.each(['server', 'peer', 'network'] as const)('names who began: the %s', (initiator) => {
    expect(closeVerdict(ended({ initiator })).initiator).toBe(initiator);
  });

  it.each([
    ['that we wrote', { sent: OURS, received: THEIRS }, OURS],
    ['that the peer began with', { initiator: 'peer', sent: THEIRS, received: THEIRS }, THEIRS],
    ['that the peer wrote, where we wrote none', { received: THEIRS }, THEIRS],
    ['1006, where there was none', {}, { code: 1006, reason: '' }],
  ] as [string, Partial<ConnectionContext>, CloseFrame][])(
    'has the code and reason %s',
    (_which, known, frame) => {
      expect(closeVerdict(ended(known))).toMatchObject(frame);
    },
  );

  it('lists every request, and that all but the deciding one were superseded', () => {
    const requests = [request(1000, 10), request(4000, 30), request(1011, 40)];
    expect(closeVerdict(ended({ requests, sent: OURS, decided: 1 })).requests).toEqual([
      { code: 1000, reason: 'asked for 1000', at: 10, superseded: true },
      { code: 4000, reason: 'asked for 4000', at: 30, superseded: false },
      { code: 1011, reason: 'asked for 1011', at: 40, superseded: true },
    ]);
  });

  it('takes the most severe request where no frame was written', () => {
    const requests = [request(1000, 10), request(1011, 40), request(4000, 30)];
    const superseded = closeVerdict(ended({ requests })).requests.map((each) => each.superseded);
    expect(superseded).toEqual([true, false, true]);
  });

  it('lists all requests as superseded where our frame answered the peer', () => {
    const known = { initiator: 'peer', requests: [request(1000, 10)], sent: THEIRS } as const;
    expect(closeVerdict(ended(known)).requests).toMatchObject([{ superseded: true }]);
  });

  it('shows a request without a code as 1005', () => {
    const { requests } = closeVerdict(ended({ requests: [request(undefined, 0)] }));
    expect(requests).toMatchObject([{ code: 1005, superseded: false }]);
  });

  it('holds nothing else', () => {
    expect(closeVerdict(ended({}))).toStrictEqual({
      initiator: 'server',
      handshake: 'lost',
      code: 1006,
      reason: '',
      requests: [],
    });
  });
});

describe('the cause of a refusal', () => {
  it.each([CONNECTING, OPEN])('does not exist while $phase', (context) => {
    expect(refusalCause(context)).toBeUndefined();
  });

  const closing = PHASES.filter((phase) => PHASE_FACTS[phase].state !== 'connecting').slice(1);

  it.each(closing.filter((phase) => PHASE_FACTS[phase].accepts))(
    'does not exist while messages are still accepted: %s',
    (phase) => {
      expect(refusalCause({ ...OPEN, phase, initiator: 'peer' })).toBeUndefined();
    },
  );

  it.each(closing.filter((phase) => !PHASE_FACTS[phase].accepts))(
    'is who began the close: %s',
    (phase) => {
      const ours = phase === 'closed' ? 'closed' : 'closing';
      expect(refusalCause({ ...OPEN, phase, initiator: 'server' })).toBe(ours);
      expect(refusalCause({ ...OPEN, phase, initiator: 'peer' })).toBe('peer-closed');
      expect(refusalCause({ ...OPEN, phase, initiator: 'network' })).toBe('peer-closed');
    },
  );

  it("stays this side's close where the peer has answered it", () => {
    const context = ended({ sent: OURS, received: OURS });
    expect(refusalCause(context)).toBe('closed');
  });
});

describe('the cause of a loss', () => {
  it.each([
    ['terminated', 'we destroyed the socket', { destroyed: 'terminated' }],
    ['flush-timeout', 'the reader was too slow', { destroyed: 'flush-timeout' }],
    [
      'terminated',
      'we destroyed it after the peer closed',
      {
        destroyed: 'terminated',
        received: THEIRS,
      },
    ],
    ['peer-closed', 'the peer closed', { received: THEIRS }],
    ['network', 'the socket ended', {}],
    ['network', 'the peer ended its stream', { ended: true, destroyed: 'terminated' }],
    [
      'peer-closed',
      'the peer closed and ended its stream',
      {
        ended: true,
        received: THEIRS,
        destroyed: 'terminated',
      },
    ],
  ] as [string, string, Partial<ConnectionContext>][])('is %s where %s', (cause, _how, known) => {
    expect(lossCause(ended(known))).toBe(cause);
  });
});
