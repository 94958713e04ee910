/** The hooks that run at this moment, of all connections, for who waits until none does. */
export class HookTally {
  /** Called whenever one has ended. */
  onEnded: () => void = () => {};
  /** How many have ended. */
  ended = 0;
  readonly #running = new Map<symbol, string>();

  get running(): number {
    return this.#running.size;
  }

  /** What runs, for people; each name once. */
  get names(): string {
    return [...new Set(this.#running.values())].join(', ');
  }

  /** Counts a hook until the function that is returned is called. */
  begin(name: string): () => void {
    const key = Symbol(name);
    this.#running.set(key, name);
    return () => {
      if (!this.#running.delete(key)) return;
      this.ended++;
      this.onEnded();
    };
  }
}
