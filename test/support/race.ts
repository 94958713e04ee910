import { test } from '@jest/globals';
import { appendFileSync } from 'node:fs';
import { RaceLostError, UntoldError } from './losses.js';
import { nestMajor, stack, type NestMajor } from './stack.js';
import { withBound } from './waiting.js';

/**
 * - `passes`: it does the same
 * - `fails`: clients or the server's own code suffer
 * - `untold`: what happens is the same, as far as a client sees, but nobody is told of it
 */
type Expectation = 'passes' | 'fails' | 'untold';

export interface RaceOptions {
  /** The guarantee at stake, by its number in the design. */
  readonly guarantee: `G${number}`;
  /** What the stock stack does with this test. */
  readonly stock: Expectation | Readonly<Record<NestMajor, Expectation>>;
  /** Where the race exists on one major only. */
  readonly nest?: NestMajor;
}

/** Long enough for any step, and short enough for a run in which nearly all of it is lost. */
const STOCK_BOUND_MS = 1_500;

/**
 * A test on real sockets. On our stack its body must pass. On the stock stack it must do what it
 * declares: where that is `'fails'`, the body has to fail by an expectation, a bounded wait or the
 * end of the server's process; where it is `'untold'`, by asking what nobody knows. One that
 * passes, or fails for any other reason, is an error.
 */
export function race(title: string, options: RaceOptions, body: () => Promise<void>): void {
  if (options.nest !== undefined && options.nest !== nestMajor) return;
  const { stock } = options;
  const expectation = typeof stock === 'string' ? stock : stock[nestMajor];
  if (stack === 'stock' && expectation !== 'passes') {
    test(`stock loses: ${title}`, async () => {
      recordLoss({ title, guarantee: options.guarantee, ...(await lossOf(body, expectation)) });
    });
  } else {
    test(title, body);
  }
}

async function lossOf(
  body: () => Promise<void>,
  expectation: 'fails' | 'untold',
): Promise<Pick<Loss, 'kind' | 'why'>> {
  try {
    await withBound(STOCK_BOUND_MS, body);
  } catch (error) {
    const why = lossIn(error);
    const kind = error instanceof UntoldError ? 'untold' : 'fails';
    if (why === undefined || kind !== expectation) throw error;
    return { kind, why };
  }
  throw new Error('The stock stack was expected to lose this race, and won it.');
}

/** One line for each race that the stock stack has lost, read by scripts/test-stock.mjs. */
interface Loss {
  readonly title: string;
  readonly guarantee: string;
  readonly kind: 'fails' | 'untold';
  readonly why: string;
}

/** Why a race was lost; `undefined` where the error is another. */
function lossIn(error: unknown): string | undefined {
  if (error instanceof RaceLostError) return error.message;
  if (!(error instanceof Error && 'matcherResult' in error)) return undefined;
  // Jest leaves it empty where a promise was to reject and did not.
  const { expected, actual } = (error.matcherResult ?? {}) as {
    expected?: unknown;
    actual?: unknown;
  };
  if (expected === undefined && actual === undefined) return withoutColours(error.message);
  return `Expected ${brief(expected)}, got ${brief(actual)}.`;
}

/** Jest's message without the diff, in one line. */
function withoutColours(message: string): string {
  // oxlint-disable-next-line no-control-regex
  const plain = message.replaceAll(/\u001B\[\d+m/g, '');
  const [, ...lines] = plain.split('\n').map((line) => line.trim());
  return brief(lines.filter(Boolean).join(' ').slice(0, 200));
}

function brief(value: unknown): string {
  if (Array.isArray(value) && value.length > 4) return `${value.length} items`;
  return JSON.stringify(value) ?? String(value);
}

function recordLoss(loss: Loss): void {
  const file = process.env['STOCK_LOSSES'];
  if (file) appendFileSync(file, `${JSON.stringify(loss)}\n`);
}
