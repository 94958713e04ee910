import { sizeOf } from './party.generator.js';
import type { Random } from './random.js';
import type { Ask, PeerAct, PeerPlan, PeerStep } from './schedule.types.js';

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

export function peerOf(random: Random): PeerPlan {
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
export function patientPeerOf(random: Random): PeerPlan {
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
export function floodedPeerOf(random: Random): PeerPlan {
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
