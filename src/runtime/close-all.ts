import type { CloseOutcome, Handshake } from '../core/outcomes.js';
import type { CloseOptions } from './connection.js';
import type { RegisteredConnection } from './runtime.js';

/** What became of the connections that were closed together. */
export type CloseSummary = Readonly<Record<Handshake, number>> & { readonly targets: number };

/** Settles once all have ended; without a promise for each, as they may be thousands. */
export function closeAll(
  connections: readonly Pick<RegisteredConnection, 'submitClose'>[],
  code?: number,
  reason?: string,
  options?: CloseOptions,
): Promise<CloseSummary> {
  const targets = connections.length;
  const summary = { targets, clean: 0, crossed: 0, terminated: 0, lost: 0 };
  if (targets === 0) return Promise.resolve(summary);
  return new Promise((resolve) => {
    let left = targets;
    const settle = ({ handshake }: CloseOutcome): void => {
      summary[handshake]++;
      if (--left === 0) resolve(summary);
    };
    for (const connection of connections) connection.submitClose(code, reason, options, settle);
  });
}
