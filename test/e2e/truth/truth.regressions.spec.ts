import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MORE_THAN_KERNELS_HOLD } from './party.generator.js';
import { runSchedule } from './schedule.runner.js';
import type { Ask, ConnectionPlan, PeerPlan } from './schedule.types.js';
import { TruthApp } from './truth.app.js';

/** What they need is a moment, so each has many, or as many as megabytes allow. */
const TRIES = 40;
const TRIES_OF_A_FLOOD = 6;

const REPLY: Ask = { mode: 'sync', turns: 0, values: 1, size: 'small' };

const PLAN: Omit<ConnectionPlan, 'peer'> = {
  path: '/patient',
  hook: { kind: 'sync' },
  leaving: 'sync',
  parties: [],
  ending: 'close',
};

const RAW = {
  kind: 'raw',
  pongs: 'each',
  answer: 'echo',
  discards: true,
  pipelined: 0,
} as const;
const WS = { kind: 'ws', pongs: true, deferred: false, offersDeflate: true } as const;

function asks(ask: Ask, count: number): PeerPlan['script'] {
  return [{ wait: { turns: 0 }, act: { do: 'ask', count, ask } }];
}

/** Schedules that were once not told truly, cut down. */
const ONCE_UNTRUE: Record<string, ConnectionPlan> = {
  'an answer that comes out of a decompressor after the end of the stream is still an answer': {
    ...PLAN,
    path: '/patient-deflate',
    peer: { ...WS, script: asks(REPLY, 4) },
    parties: [
      {
        start: 'client-open',
        steps: [{ pause: 6, act: { do: 'close', by: 'service', code: 4000, reason: 'bye' } }],
      },
    ],
  },
  'a close frame with the end of the stream behind it is answered behind what is being written': {
    ...PLAN,
    peer: {
      ...RAW,
      script: [
        { wait: { turns: 0 }, act: { do: 'pause' } },
        { wait: { turns: 12 }, act: { do: 'close', code: 4100, end: true } },
        { wait: { turns: 12 }, act: { do: 'resume' } },
      ],
    },
    parties: [
      {
        start: 'client-open',
        steps: [{ pause: 4, act: { do: 'post', count: MORE_THAN_KERNELS_HOLD, size: 'large' } }],
      },
    ],
  },
  'a peer that only ends its stream is sent no close frame': {
    ...PLAN,
    path: '/plain',
    peer: { ...RAW, script: [...asks(REPLY, 2), { wait: { messages: 1 }, act: { do: 'end' } }] },
    ending: 'peer',
  },
  'a close frame that could not be written any more is not said to be': {
    ...PLAN,
    path: '/deflate',
    peer: {
      ...WS,
      script: [
        { wait: { messages: 1 }, act: { do: 'close', code: 3001 } },
        { wait: { turns: 2 }, act: { do: 'close', end: true } },
      ],
    },
    parties: [
      {
        start: 'client-open',
        steps: [
          { pause: 1, act: { do: 'emit', count: 1, size: 'small', acknowledge: true } },
          { pause: 1, act: { do: 'post', count: 2, size: 'large' } },
          { pause: 'none', act: { do: 'post', count: 40, size: 'small' } },
        ],
      },
    ],
  },
  'a subscriber closes as the connection opens, and it never becomes live again': {
    ...PLAN,
    hook: { kind: 'async', turns: 3 },
    peer: { ...WS, script: asks(REPLY, 2) },
    parties: [
      {
        start: 'opened',
        steps: [
          {
            pause: 'none',
            act: { do: 'send', count: 2, size: 'small', binary: false, acknowledge: true },
          },
          { pause: 'none', act: { do: 'close', by: 'connection', code: 4000 } },
        ],
      },
    ],
  },
  'pongs that a peer sends again prove nothing of what it has not read since': {
    ...PLAN,
    path: '/plain',
    peer: {
      ...RAW,
      script: [
        { wait: { messages: 1 }, act: { do: 'pause' } },
        { wait: { turns: 6 }, act: { do: 'pong' } },
        { wait: { turns: 2 }, act: { do: 'reset' } },
      ],
    },
    parties: [
      {
        start: 'client-open',
        steps: [
          {
            pause: 1,
            act: { do: 'send', count: 1, size: 'small', binary: false, acknowledge: true },
          },
          {
            pause: 4,
            act: { do: 'send', count: 3, size: 'small', binary: false, acknowledge: true },
          },
          { pause: 'none', act: { do: 'acknowledged' } },
        ],
      },
    ],
  },
};

let app: TruthApp;

beforeAll(async () => {
  app = await TruthApp.start();
});

afterAll(() => app.stop());

test.each(Object.entries(ONCE_UNTRUE))('%s', async (_title, plan) => {
  const schedule = { seed: 0, connections: [plan] };
  const violations: string[] = [];
  const flooded = JSON.stringify(plan).includes(String(MORE_THAN_KERNELS_HOLD));
  const tries = flooded ? TRIES_OF_A_FLOOD : TRIES;
  for (let left = tries; left > 0 && violations.length === 0; left--) {
    violations.push(...(await runSchedule(app, schedule)).violations);
  }
  expect(violations).toEqual([]);
});
