import { expect, test } from '@jest/globals';
import { systemClock } from '../../src/runtime/clock.js';
import { ConnectionRegistry } from '../../src/runtime/connection.registry.js';
import { HookTally } from '../../src/runtime/hook-tally.js';
import { LifecycleHub } from '../../src/runtime/lifecycle.hub.js';
import { createRuntime } from '../../src/runtime/runtime.js';
import { ManualClock } from '../support/fakes/manual.clock.js';

const observer = new LifecycleHub();
const nextId = (): string => 'id';

test('what is not given is what a server uses', () => {
  const runtime = createRuntime({ observer, nextId });
  expect(runtime).toMatchObject({ observer, nextId, clock: systemClock, random: Math.random });
  expect(runtime.encode({ event: 'a' })).toBe('{"event":"a"}');
  expect([runtime.connections.size, runtime.hooks.running, runtime.heartbeat.size]).toEqual([
    0, 0, 0,
  ]);
  expect(runtime.sessions.leaving).toBe(0);
});

test('what is given is used', () => {
  const parts = {
    observer,
    nextId,
    clock: new ManualClock(),
    random: () => 0.5,
    encode: () => 'encoded',
    connections: new ConnectionRegistry<never>(),
    hooks: new HookTally(),
  };
  expect(createRuntime(parts)).toMatchObject(parts);
});
