/**
 * What the ends of a fake socket do on their own:
 *
 * - `'written'`: the kernel has taken something, or a write has failed
 * - `'arrival'`: something that the peer did reaches the server
 * - `'reading'`: something that the server did reaches a peer that reads
 */
export type TaskKind = 'written' | 'arrival' | 'reading';

/** Runs a task later, never at once; tasks of one kind in the order in which they were given. */
export type Schedule = (task: () => void, kind: TaskKind) => void;

/** A schedule that a test turns by hand. */
export class TaskQueue {
  readonly #tasks: { readonly task: () => void; readonly kind: TaskKind }[] = [];

  readonly schedule: Schedule = (task, kind) => {
    this.#tasks.push({ task, kind });
  };

  /** How many tasks wait, of one kind or of all. */
  pending(kind?: TaskKind): number {
    return this.#tasks.filter((waiting) => kind === undefined || waiting.kind === kind).length;
  }

  /** Runs the oldest task, of one kind or of all; false where there is none. */
  runNext(kind?: TaskKind): boolean {
    const index = this.#tasks.findIndex((waiting) => kind === undefined || waiting.kind === kind);
    if (index === -1) return false;
    const [next] = this.#tasks.splice(index, 1);
    next!.task();
    return true;
  }

  /** Runs tasks, of one kind or of all, until none is left. */
  run(kind?: TaskKind): void {
    while (this.runNext(kind)) {
      // Each may add others.
    }
  }
}
