/** A gateway, by identity; its name is for people. */
export interface ReadinessKey {
  readonly name: string;
}

interface Entry {
  readonly key: ReadinessKey;
  begun: boolean;
}

/**
 * Which gateways a connection waits for (G7). Sealed once all that take part are known, so that
 * the first hook to settle does not make a connection ready that others still examine.
 */
export class Readiness {
  readonly #entries: Entry[] = [];
  #sealed = false;

  get ready(): boolean {
    return this.#sealed && this.#entries.length === 0;
  }

  /** The gateways that have not settled, for people. */
  get pending(): string {
    return this.#entries.map(({ key }) => key.name).join(', ');
  }

  /** Waits for a hook that is to begin later, as its gateway must be made first. */
  expect(key: ReadinessKey): void {
    this.#entries.push({ key, begun: false });
  }

  /** Whether a hook of this gateway runs, or is to begin. */
  isPending(key: ReadinessKey): boolean {
    return this.#entries.some((entry) => entry.key === key);
  }

  /** The hook that was expected will never begin. */
  forgo(key: ReadinessKey): void {
    const index = this.#entries.findIndex((entry) => entry.key === key && !entry.begun);
    if (index !== -1) this.#entries.splice(index, 1);
  }

  begin(key: ReadinessKey): void {
    const expected = this.#entries.find((entry) => entry.key === key && !entry.begun);
    if (expected) expected.begun = true;
    else this.#entries.push({ key, begun: true });
  }

  settle(key: ReadinessKey): void {
    const index = this.#entries.findIndex((entry) => entry.key === key && entry.begun);
    if (index !== -1) this.#entries.splice(index, 1);
  }

  seal(): void {
    this.#sealed = true;
  }
}
