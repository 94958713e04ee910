import { Random } from './random.js';
import type {
  Ask,
  Caller,
  ConnectionPlan,
  GatewayPath,
  HookPlan,
  MessageSize,
  Party,
  Pause,
  PeerAct,
  PeerPlan,
  PeerStep,
  Schedule,
  ServerAct,
} from './schedule.types.js';

/** More than the kernels of both sides hold, so that a frozen peer leaves something unwritten. */
const MORE_THAN_KERNELS_HOLD = 120;

export function scheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  const count = random.chance(0.8) ? 1 : random.int(2, 3);
  return { seed, connections: Array.from({ length: count }, () => connectionOf(random)) };
}

function connectionOf(random: Random): ConnectionPlan {
  const path = random.weighted<GatewayPath>({
    '/plain': 50,
    '/deflate': 20,
    '/patient': 20,
    '/patient-deflate': 10,
  });
  const patient = path.startsWith('/patient');
  const flooded = !patient && random.chance(0.06);
  const parties = Array.from({ length: random.int(1, 3) }, () => partyOf(random));
  return {
    path,
    hook: flooded ? { kind: 'sync' } : hookOf(random, patient),
    leaving: random.weighted({ sync: 6, async: 3, rejects: 1 }),
    peer: flooded ? floodedPeerOf(random) : patient ? patientPeerOf(random) : peerOf(random),
    parties: flooded ? [floodOf(random), ...parties.slice(1)] : parties,
    ending: random.weighted({ close: 6, peer: 3, terminate: 1 }),
  };
}

function hookOf(random: Random, patient: boolean): HookPlan {
  const kind = random.weighted({
    sync: 50,
    async: 30,
    rejects: 6,
    closes: 4,
    never: patient ? 0 : 2,
  });
  switch (kind) {
    case 'async':
      return { kind, turns: random.int(0, 12) };
    case 'rejects':
      return { kind, how: random.pick(['rejected', 'ws', 'error']), turns: random.int(0, 6) };
    case 'closes':
      return { kind, code: random.int(4000, 4010) };
    default:
      return { kind };
  }
}

function sizeOf(random: Random): MessageSize {
  return random.chance(0.25) ? 'large' : 'small';
}

function pauseOf(random: Random): Pause {
  const kind = random.weighted({ none: 40, microtask: 10, tick: 10, turns: 40 });
  return kind === 'turns' ? random.int(1, random.chance(0.2) ? 20 : 3) : kind;
}

function partyOf(random: Random): Party {
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
function floodOf(random: Random): Party {
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

function askOf(random: Random): Ask {
  return {
    mode: random.weighted({
      sync: 25,
      async: 30,
      stream: 15,
      never: 4,
      throws: 4,
      rejects: 4,
      unserializable: 4,
      closes: 6,
    }),
    turns: random.int(0, 8),
    values: random.int(0, 5),
    size: sizeOf(random),
  };
}

function waitOf(random: Random): PeerStep['wait'] {
  return random.chance(0.4) ? { messages: random.int(1, 6) } : { turns: random.int(0, 8) };
}

function peerCloseOf(random: Random): Extract<PeerAct, { do: 'close' }> {
  if (random.chance(0.3)) return { do: 'close' };
  return {
    do: 'close',
    code: random.pick([1000, 3001, 4100, 4101]),
    ...(random.chance(0.5) && { reason: 'leaving' }),
  };
}

function peerActOf(random: Random): PeerAct {
  const kind = random.weighted({
    ask: 45,
    close: 18,
    pause: 10,
    resume: 10,
    ping: 3,
    pong: 6,
    reset: 6,
    end: 5,
    garbage: 4,
  });
  if (kind === 'ask') return { do: 'ask', count: random.int(1, 4), ask: askOf(random) };
  if (kind !== 'close') return { do: kind };
  return { ...peerCloseOf(random), ...(random.chance(0.4) && { end: true }) };
}

function scriptOf(random: Random, actOf: (random: Random) => PeerAct): PeerStep[] {
  const steps: PeerStep[] = [];
  for (let left = random.int(0, 5); left > 0; left--) {
    const act = actOf(random);
    steps.push({ wait: waitOf(random), act });
    if (act.do !== 'pause' || random.chance(0.4)) continue;
    // Of all moments, one in which something is unread.
    steps.push({ wait: { turns: random.int(1, 4) }, act: { do: 'pong' } });
  }
  return steps;
}

function peerOf(random: Random): PeerPlan {
  const kind = random.weighted({ ws: 40, whatwg: 25, raw: 35 });
  const script = scriptOf(random, peerActOf);
  if (kind === 'whatwg') return { kind, script };
  if (kind === 'ws') {
    const offersDeflate = random.chance(0.8);
    return {
      kind,
      script,
      pongs: random.chance(0.85),
      deferred: random.chance(0.3),
      offersDeflate,
    };
  }
  return {
    kind,
    script,
    pongs: random.weighted({ each: 6, latest: 2, late: 1, none: 2 }),
    answer: random.weighted({ echo: 8, 'echo-and-end': 3, end: 1, late: 2, none: 1, reset: 1 }),
    discards: random.chance(0.5),
    pipelined: random.chance(0.3) ? random.int(1, 4) : 0,
  };
}

/** Reads on, answers all, and leaves cleanly if at all. */
function patientPeerOf(random: Random): PeerPlan {
  const script = scriptOf(random, (from) =>
    from.chance(0.8) ? { do: 'ask', count: from.int(1, 4), ask: askOf(from) } : peerCloseOf(from),
  );
  const kind = random.weighted({ ws: 45, whatwg: 35, raw: 20 });
  if (kind === 'whatwg') return { kind, script };
  if (kind === 'ws') {
    const deferred = random.chance(0.3);
    return { kind, script, pongs: true, deferred, offersDeflate: random.chance(0.8) };
  }
  const answer = random.pick(['echo', 'echo-and-end', 'late'] as const);
  const pongs = random.pick(['each', 'latest'] as const);
  return { kind, script, pongs, answer, discards: true, pipelined: 0 };
}

/** Reads nothing from the start, then now and then, or no more. */
function floodedPeerOf(random: Random): PeerPlan {
  const script: PeerStep[] = [{ wait: { turns: 0 }, act: { do: 'pause' } }];
  if (random.chance(0.5)) {
    for (let left = random.int(1, 12); left > 0; left--) {
      script.push(
        { wait: { turns: random.int(1, 30) }, act: { do: 'resume' } },
        { wait: { turns: random.int(1, 10) }, act: { do: 'pause' } },
      );
    }
    if (random.chance(0.7)) script.push({ wait: { turns: 1 }, act: { do: 'resume' } });
  }
  if (random.chance(0.3)) {
    const act: PeerAct = random.pick([{ do: 'reset' }, { do: 'close' }, { do: 'end' }]);
    script.push({ wait: { turns: random.int(1, 60) }, act });
  }
  const offersDeflate = random.chance(0.3);
  if (random.chance(0.5))
    return { kind: 'ws', script, pongs: true, deferred: false, offersDeflate };
  const answer = 'echo';
  return { kind: 'raw', script, pongs: 'each', answer, discards: true, pipelined: 0 };
}
