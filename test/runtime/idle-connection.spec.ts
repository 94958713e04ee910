import { expect, test } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LifecycleHub } from '../../src/runtime/lifecycle.hub.js';
import { DEFAULT_POLICY } from '../../src/runtime/connection.policy.js';
import { Owner } from '../../src/runtime/owner.js';
import { createRuntime } from '../../src/runtime/runtime.js';
import type { SocketPort } from '../../src/runtime/socket.port.js';

/** So many that the rest of the process, whose heap breathes by some 300 KB, is 6 B for each. */
const CONNECTIONS = 50_000;
const WARM_UP = 100;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heap(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** One for all, as what a port holds is not looked at. */
const port: SocketPort = {
  connecting: false,
  writable: true,
  bufferedAmount: 0,
  blocked: false,
  paused: false,
  send: () => 'pending',
  ping: () => {},
  probe: () => {},
  close: () => {},
  end: () => {},
  destroy: () => {},
  pause: () => {},
  resume: () => {},
  progressMark: () => 0,
};

/*
 * With its place in the registry and in the heartbeat. What an object takes is the same on every
 * machine; the bound leaves room for how full the tables happen to be.
 */
test('a connection that waits for its peer takes little memory', () => {
  let ids = 0;
  const runtime = createRuntime({ observer: new LifecycleHub(), nextId: () => String(++ids) });
  // Made before, as it is no part of what is measured.
  const owners = Array.from<Owner | undefined>({ length: CONNECTIONS + WARM_UP });
  let opened = 0;
  const open = (count: number): void => {
    for (const end = opened + count; opened < end; opened++) {
      const owner = new Owner(runtime, port, DEFAULT_POLICY);
      owner.awaitReadiness();
      owner.sealReadiness();
      owners[opened] = owner;
    }
  };
  open(WARM_UP);
  const before = heap();
  open(CONNECTIONS);
  const bytes = (heap() - before) / CONNECTIONS;
  for (const owner of owners) {
    owner?.requestTerminate();
    owner?.onClosed();
  }
  expect(runtime.connections.size).toBe(0);
  expect(bytes).toBeLessThan(350);
});
