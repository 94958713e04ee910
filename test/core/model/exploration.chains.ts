import type { MoveKind } from './moves.types.js';
import type { World } from './world.state.js';

/** What happens by itself, in this order, where everybody plays along. */
const WILLING: readonly MoveKind[] = ['macrotask', 'handler', 'write', 'peer', 'read', 'end'];
/** What still happens where peer, handlers and network do nothing. */
const TIMERS: readonly MoveKind[] = ['macrotask', 'timer'];
/** As before, where the cap is reached first. */
const CAP: readonly MoveKind[] = ['cap', 'timer'];

const NONE = -1;

/** For every state the one that follows if only certain kinds of things happen. */
class Chain {
  readonly #next: number[] = [];
  readonly #rank: number[] = [];

  constructor(private readonly kinds: readonly MoveKind[]) {}

  add(): void {
    this.#next.push(NONE);
    this.#rank.push(this.kinds.length);
  }

  link(from: number, kind: MoveKind, to: number): void {
    const rank = this.kinds.indexOf(kind);
    if (rank < 0 || rank >= this.#rank[from]!) return;
    this.#rank[from] = rank;
    this.#next[from] = to;
  }

  /** How many steps lead from each state to a closed one; `Infinity` where none do. */
  distances(closed: readonly boolean[]): number[] {
    const distances: number[] = closed.map((isClosed) => (isClosed ? 0 : NaN));
    for (let start = 0; start < distances.length; start++) {
      const path: number[] = [];
      let at = start;
      while (at !== NONE && Number.isNaN(distances[at]) && path.length < distances.length) {
        path.push(at);
        // A state that the chain meets again leads nowhere.
        distances[at] = Infinity;
        at = this.#next[at]!;
      }
      let distance = at === NONE ? Infinity : distances[at]!;
      for (const state of path.toReversed()) distances[state] = ++distance;
    }
    return distances;
  }
}

export class Chains {
  readonly willing = new Chain(WILLING);
  readonly timers = new Chain(TIMERS);
  readonly cap = new Chain(CAP);
  readonly open: boolean[] = [];
  readonly live: boolean[] = [];
  readonly closed: boolean[] = [];

  add({ machine: { phase } }: World): void {
    this.open.push(phase === 'open');
    this.live.push(phase === 'open' || phase === 'connecting');
    this.closed.push(phase === 'closed');
    for (const chain of [this.willing, this.timers, this.cap]) chain.add();
  }

  link(from: number, kind: MoveKind, to: number): void {
    if (kind === 'choice') return;
    for (const chain of [this.willing, this.timers, this.cap]) chain.link(from, kind, to);
  }
}

const CHECKS = [
  {
    invariant: 'G5 timers alone close every connection that is not open',
    chain: 'timers',
    spares: 'open',
    steps: 5,
  },
  {
    invariant: 'G5 the cap closes every connection that is closing',
    chain: 'cap',
    spares: 'live',
    steps: 2,
  },
  {
    invariant: 'G5 no timer is needed where everybody plays along',
    chain: 'willing',
    spares: 'live',
    steps: Infinity,
  },
] as const;

/** The first state from which the connection does not end. */
export function chainViolation(chains: Chains): { invariant: string; index: number } | undefined {
  for (const { invariant, chain, spares, steps } of CHECKS) {
    const distances = chains[chain].distances(chains.closed);
    const index = distances.findIndex(
      (distance, at) => !chains[spares][at] && (distance > steps || distance === Infinity),
    );
    if (index >= 0) return { invariant, index };
  }
  return undefined;
}
