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
  /** Done once, between the last hook and the first message; neither throws nor rejects. */
  acceptance: (() => unknown) | undefined;
  #entries: Entry[] | undefined;
  #sealed = false;

  /** Of a connection that waits for nobody any more. */
  static sealed(): Readiness {
    const readiness = new Readiness();
    readiness.seal();
    return readiness;
  }

  get ready(): boolean {
    return this.#sealed && !this.#entries?.length;
  }

  /** The gateways that have not settled, for people. */
  get pending(): string {
    return (this.#entries ?? []).map(({ key }) => key.name).join(', ');
  }

  /** Waits for a hook that is to begin later, as its gateway must be made first. */
  expect(key: ReadinessKey): void {
    this.#add({ key, begun: false });
  }

  /** Whether a hook of this gateway runs, or is to begin. */
  isPending(key: ReadinessKey): boolean {
    return this.#entries?.some((entry) => entry.key === key) ?? false;
  }

  /** The hook that was expected will never begin. */
  forgo(key: ReadinessKey): void {
    this.#remove(key, false);
  }

  begin(key: ReadinessKey): void {
    const expected = this.#entries?.find((entry) => entry.key === key && !entry.begun);
    if (expected) expected.begun = true;
    else this.#add({ key, begun: true });
  }

  settle(key: ReadinessKey): void {
    this.#remove(key, true);
  }

  seal(): void {
    this.#sealed = true;
  }

  #add(entry: Entry): void {
    // Most have one, and room for one.
    if (this.#entries) this.#entries.push(entry);
    else this.#entries = [entry];
  }

  #remove(key: ReadinessKey, begun: boolean): void {
    const entries = this.#entries ?? [];
    const index = entries.findIndex((entry) => entry.key === key && entry.begun === begun);
    if (index !== -1) entries.splice(index, 1);
    if (entries.length === 0) this.#entries = undefined;
  }
}
