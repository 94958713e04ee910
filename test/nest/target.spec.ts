import { expect, test } from '@jest/globals';
import type { CloseOutcome, Handshake } from '../../src/core/outcomes.js';
import type { RegisteredConnection, SettleClose } from '../../src/runtime/runtime.js';
import { closeAll } from '../../src/nest/target.js';

interface Asked {
  readonly with: readonly unknown[];
  readonly settle: SettleClose;
}

function connectionOf(asked: Asked[]): RegisteredConnection {
  const submitClose = (...args: unknown[]): void => {
    asked.push({ with: args.slice(0, -1), settle: args.at(-1) as SettleClose });
  };
  return { submitClose } as unknown as RegisteredConnection;
}

function end({ settle }: Asked, handshake: Handshake): void {
  settle({ handshake } as CloseOutcome);
}

test('closeAll() asks each at once, sums up how they ended, and settles with the last of them', async () => {
  const asked: Asked[] = [];
  const connections = Array.from({ length: 5 }, () => connectionOf(asked));
  let settled = false;
  const summary = closeAll(connections, 4000, 'bye', { handlers: 'finish' });
  void summary.then(() => (settled = true));
  expect(asked.map((one) => one.with)).toEqual(
    connections.map(() => [4000, 'bye', { handlers: 'finish' }]),
  );
  end(asked[3]!, 'lost');
  end(asked[0]!, 'clean');
  end(asked[1]!, 'crossed');
  end(asked[4]!, 'clean');
  await Promise.resolve();
  expect(settled).toBe(false);
  end(asked[2]!, 'terminated');
  expect(await summary).toEqual({ targets: 5, clean: 2, crossed: 1, terminated: 1, lost: 1 });
});

test('closeAll() of nobody is over at once', async () => {
  const nobody = { targets: 0, clean: 0, crossed: 0, terminated: 0, lost: 0 };
  expect(await closeAll([])).toEqual(nobody);
});
