import { expect, test } from '@jest/globals';
import type { CloseOutcome, Handshake } from '../../src/core/outcomes.js';
import { closeAll } from '../../src/runtime/close-all.js';
import type { RegisteredConnection, SettleClose } from '../../src/runtime/runtime.js';

interface Asked {
  readonly with: readonly unknown[];
  readonly settle: SettleClose;
}

function connectionOf(asked: Asked[]): Pick<RegisteredConnection, 'submitClose'> {
  return {
    submitClose: (code, reason, options, settle) =>
      asked.push({ with: [code, reason, options], settle: settle! }),
  };
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
