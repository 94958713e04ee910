import { describe, expect, test } from '@jest/globals';
import { BACK_OFFS } from '../../simulation/back-off.strategies.js';
import {
  RollingDeploy,
  type DeployOptions,
  type DeployResult,
} from '../../simulation/rolling.deploy.js';
import { PLANS } from '../../simulation/settings.sweep.js';

const ALL_AT_ONCE = {
  timeout: 10_000,
  readinessDelay: 0,
  batchSize: 1,
  batchInterval: 0,
  jitter: true,
};
const [NONE, FIXED] = BACK_OFFS;

/** Two nodes with five clients each, and nothing random about how long things take. */
const TINY: DeployOptions = {
  connections: 10,
  nodes: 2,
  capacity: 1_000,
  plan: ALL_AT_ONCE,
  backOff: NONE,
  seed: 1,
  closeLatency: { median: 50, spread: 0 },
  silent: 0,
  connectLatency: { median: 100, spread: 0 },
  balancerDelay: 0,
  startUp: 5_000,
};

function run(options: Partial<DeployOptions> = {}): DeployResult {
  return new RollingDeploy({ ...TINY, ...options }).run();
}

describe('a deploy small enough to follow by hand', () => {
  test('moves five clients, then all ten, each in one second', () => {
    // 0 ms: node 0 asks its five. 50: they have left; it ends. 150: they arrive at node 1.
    // 5,050: node 0 is new, and node 1 asks its ten. 5,100: they have left; it ends.
    // 5,200: they arrive at node 0. 10,100: node 1 is new.
    expect(run()).toMatchObject({
      peak: 10,
      lost: 15,
      returned: 15,
      refused: 0,
      gaveUp: 0,
      terminated: 0,
      fullest: 10,
      finishedAt: 10_100,
    });
  });

  test('counts the delay from the loss of a connection to the next one', () => {
    expect(run().p50Delay).toBe(100);
    // A capacity of 10 a second: the last of ten is made a second later.
    expect(run({ capacity: 10 })).toMatchObject({ peak: 10, p99Delay: 1_100 });
    expect(run({ backOff: FIXED })).toMatchObject({ p50Delay: 1_100, p99Delay: 1_100 });
  });

  test('spreads the peak by batches', () => {
    // One every second, two within the second that a window can cover at its ends.
    const plan = { ...ALL_AT_ONCE, timeout: 60_000, batchInterval: 1_000, jitter: false };
    expect(run({ plan })).toMatchObject({ peak: 1, returned: 15 });
    expect(run({ plan: { ...plan, batchSize: 3 } })).toMatchObject({ peak: 3, returned: 15 });
  });

  test('cuts at the deadline those that answer no close frame', () => {
    const plan = { ...ALL_AT_ONCE, timeout: 2_000 };
    // A reserve of 200 ms is kept: cut at 1,800 and seen a tick later; 6,810: node 0 is new.
    const cut = { terminated: 15, lost: 15, returned: 15, finishedAt: 13_620 };
    expect(run({ plan, silent: 1 })).toMatchObject(cut);
    expect(run({ silent: 1 })).toMatchObject({ terminated: 0, lost: 15, returned: 15 });
  });

  test('refuses who comes to a node that drains, unless it was unready for long enough', () => {
    const late = { nodes: 3, connections: 30, balancerDelay: 3_000, backOff: FIXED };
    const closing = { ...ALL_AT_ONCE, timeout: 60_000, batchInterval: 500, jitter: false };
    expect(run({ ...late, plan: closing }).refused).toBeGreaterThan(0);
    const unready = { ...closing, readinessDelay: 3_000 };
    expect(run({ ...late, plan: unready }).refused).toBe(0);
  });

  test('has clients give up where a node takes too long, and try again', () => {
    const result = run({ capacity: 1, connectTimeout: 3_000 });
    expect(result.gaveUp).toBeGreaterThan(0);
    expect(result.returned).toBe(result.lost);
  });

  test('asks again whom a node lets in while it closes the others', () => {
    // Two a second get in at node 1, also while its others answer the close frame. Nobody would
    // ask these, and the deadline would cut them.
    const closeLatency = { median: 1_000, spread: 0 };
    const result = run({ nodes: 3, connections: 60, capacity: 2, closeLatency });
    expect(result).toMatchObject({ terminated: 0, returned: result.lost });
  });

  test('sends those away who wait at the door of a node that ends', () => {
    // One a second gets in at node 1, from 1,150 ms on; at 5,100 it ends, with four of five in.
    expect(run({ capacity: 1 })).toMatchObject({ lost: 14, returned: 14 });
  });

  test('is given up where clients do not get in for ever', () => {
    const storm = { connections: 1_000, capacity: 1, connectTimeout: 1_000 };
    expect(run(storm).finishedAt).toBe(Number.POSITIVE_INFINITY);
  });
});

const SMALL = { connections: 2_000, nodes: 5, capacity: 200 };

describe.each(BACK_OFFS)('whose clients wait: $name', (backOff) => {
  test.each(PLANS)('is somewhere at any time, each client once: %j', (plan) => {
    const deploy = new RollingDeploy({ ...TINY, ...SMALL, plan, backOff, silent: 0.05 });
    for (let tick = 0; !deploy.done && tick < 200_000; tick++) {
      deploy.step();
      if (tick % 100 !== 0) continue;
      const { home, closing, away, queued } = deploy.census();
      expect(home + closing + away + queued).toBe(SMALL.connections);
      expect(deploy.closing).toBe(closing);
      const { lost, returned } = deploy.result();
      expect(lost - returned).toBe(away + queued);
    }
    expect(deploy.census()).toEqual({ home: SMALL.connections, closing: 0, away: 0, queued: 0 });
    const { lost, returned } = deploy.result();
    expect(lost).toBeGreaterThanOrEqual(SMALL.connections);
    expect(returned).toBe(lost);
  });
});

test('a seed gives one deploy, another seed another', () => {
  const options = { ...SMALL, plan: PLANS[2]!, backOff: BACK_OFFS[4], silent: 0.01 };
  const spread = {
    closeLatency: { median: 60, spread: 0.7 },
    connectLatency: { median: 200, spread: 0.7 },
  };
  const results = [1, 1, 2].map((seed) => run({ ...options, ...spread, seed }));
  expect(results[0]).toEqual(results[1]);
  expect(results[0]).not.toEqual(results[2]);
});
