/** When a handler's call may start, as seen from others of its connection. */
export type HandlerOrder = 'concurrent' | 'serial';

/** What decorators say of a handler. */
export interface HandlerTraits {
  readonly order: HandlerOrder;
  /** The key of a reply that a newer one of the same key takes the place of, while it waits. */
  readonly conflate?: ((reply: unknown) => string | undefined) | undefined;
}

/** One call that somebody waits for, or whose replies are conflated. It ends once. */
export class HandlerCall {
  #parts = 1;

  constructor(
    private readonly onEnd: (() => void) | undefined,
    private readonly conflate?: HandlerTraits['conflate'],
  ) {}

  /** Another part of it, such as a source that it returned, ends on its own. */
  begin(): void {
    this.#parts++;
  }

  end(): void {
    if (--this.#parts === 0) this.onEnd?.();
  }

  /** May throw, as the app's own function does. */
  keyOf(reply: unknown): string | undefined {
    return this.conflate?.(reply);
  }
}
