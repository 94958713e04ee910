import type { Random } from './random.js';
import type { Caller, MessageSize, Party, Pause, ServerAct } from './schedule.types.js';

/** More than the kernels of both sides hold, so that a frozen peer leaves something unwritten. */
export const MORE_THAN_KERNELS_HOLD = 120;

export function sizeOf(random: Random): MessageSize {
  return random.chance(0.25) ? 'large' : 'small';
}

function pauseOf(random: Random): Pause {
  const kind = random.weighted({ none: 40, microtask: 10, tick: 10, turns: 40 });
  return kind === 'turns' ? random.int(1, random.chance(0.2) ? 20 : 3) : kind;
}

export function partyOf(random: Random): Party {
  const start = random.weighted({
    opened: 5,
    connection: 20,
    ready: 25,
    'client-open': 40,
    closing: 10,
  });
  const steps = Array.from({ length: random.int(1, 6) }, () => ({
    pause: pauseOf(random),
    act: serverActOf(random),
  }));
  return { start, steps };
}

/** Fills what both kernels hold, and more, then closes. */
export function floodOf(random: Random): Party {
  const size = 'large';
  const { count, acknowledge, binary } = {
    count: random.chance(0.6) ? MORE_THAN_KERNELS_HOLD : random.int(20, 60),
    acknowledge: random.chance(0.5),
    binary: random.chance(0.5),
  };
  const flood = random.pick<ServerAct>([
    { do: 'send', count, size, binary, acknowledge },
    { do: 'emit', count, size, acknowledge },
    { do: 'raw', count, size, binary, callback: callbackOf(random) },
  ]);
  return {
    start: 'client-open',
    steps: [
      { pause: 4, act: flood },
      { pause: 'none', act: { do: 'acknowledged' } },
      { pause: pauseOf(random), act: closeOf(random) },
    ],
  };
}

function callerOf(random: Random): Caller {
  return random.pick(['service', 'id', 'connection', 'raw']);
}

function closeOf(random: Random): ServerAct {
  return {
    do: 'close',
    by: callerOf(random),
    ...(random.chance(0.85) && {
      code: random.pick([1000, 1001, 1011, 1012, 3000, 4000, 4001, 4002, 4999]),
      ...(random.chance(0.5) && { reason: random.pick(['bye', 'go away', 'ü'.repeat(40)]) }),
    }),
    ...(random.chance(0.5) && { handlers: random.pick(['abort', 'finish']) }),
    ...(random.chance(0.15) && { precedence: random.int(0, 50) }),
    ...(random.chance(0.1) && { flushTimeout: 200 }),
    ...(random.chance(0.1) && { handshakeTimeout: 200 }),
  };
}

function callbackOf(random: Random): 'none' | 'notes' | 'sends' {
  return random.weighted({ none: 1, notes: 6, sends: 3 });
}

function serverActOf(random: Random): ServerAct {
  const size = sizeOf(random);
  const count = random.chance(0.2) ? random.int(2, size === 'large' ? 6 : 20) : 1;
  const acknowledge = random.chance(0.4);
  const binary = random.chance(0.3);
  const kind = random.weighted({
    send: 22,
    emit: 14,
    post: 10,
    raw: 18,
    acknowledged: 8,
    close: 18,
    terminate: 3,
    ping: 3,
    odd: 4,
  });
  switch (kind) {
    case 'send':
      return { do: 'send', count, size, binary, acknowledge };
    case 'emit':
      return { do: 'emit', count, size, acknowledge };
    case 'post':
      return { do: 'post', count, size };
    case 'raw':
      return { do: 'raw', count, size, binary, callback: callbackOf(random) };
    case 'acknowledged':
      return { do: 'acknowledged', ...(random.chance(0.3) && { timeout: random.int(0, 60) }) };
    case 'close':
      return closeOf(random);
    case 'terminate':
      return { do: 'terminate', by: callerOf(random) };
    case 'ping':
      return { do: 'ping' };
    case 'odd':
      return random.pick<ServerAct>([
        { do: 'send', count: 1, size, binary, acknowledge, aborted: true },
        { do: 'send', count: 1, size, binary, acknowledge, bad: true },
        { do: 'emit', count: 1, size, acknowledge, bad: true },
      ]);
  }
}
