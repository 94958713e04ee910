/** The connections that have not ended, by id. */
export class ConnectionRegistry<C extends { readonly id: string }> implements Iterable<C> {
  readonly #byId = new Map<string, C>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): C | undefined {
    return this.#byId.get(id);
  }

  add(connection: C): void {
    this.#byId.set(connection.id, connection);
  }

  delete(connection: C): void {
    this.#byId.delete(connection.id);
  }

  [Symbol.iterator](): IterableIterator<C> {
    return this.#byId.values();
  }
}
