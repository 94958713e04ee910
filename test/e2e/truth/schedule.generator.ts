import { floodOf, partyOf } from './party.generator.js';
import { floodedPeerOf, patientPeerOf, peerOf } from './peer.generator.js';
import { Random } from './random.js';
import {
  isLimited,
  type ConnectionPlan,
  type GatewayPath,
  type HookPlan,
  type Schedule,
} from './schedule.types.js';

/** The schedule that a seed decides. */
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
    '/close': 7,
    '/refuse': 7,
    '/drop-oldest': 7,
    '/wait': 7,
  });
  const patient = path.startsWith('/patient');
  const flooded = !patient && random.chance(isLimited(path) ? 0.4 : 0.06);
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
