import type { ConnectionContext } from '../../../src/core/connection.context.js';
import type { ConnectionEvent } from '../../../src/core/connection.events.js';
import type { Step, Transition } from '../../../src/core/connection.transition.js';

/**
 * Remembers what became of every context and event, and keeps one object and number for all
 * contexts that are equal: the same few are met millions of times.
 */
export class TransitionMemory {
  readonly #known = new Map<string, ConnectionContext>();
  readonly #numbers = new Map<ConnectionContext, number>();
  readonly #steps = new Map<ConnectionContext, Map<ConnectionEvent, Step>>();

  constructor(private readonly remembered: Transition) {}

  readonly transition: Transition = (context, event) => {
    let steps = this.#steps.get(context);
    if (!steps) this.#steps.set(context, (steps = new Map<ConnectionEvent, Step>()));
    let step = steps.get(event);
    if (!step) {
      const { context: next, effects } = this.remembered(context, event);
      step = { context: next === context ? context : this.#same(next), effects };
      steps.set(event, step);
    }
    return step;
  };

  numberOf(context: ConnectionContext): number {
    let number = this.#numbers.get(context);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(context, number);
      this.#known.set(JSON.stringify(context), context);
    }
    return number;
  }

  #same(context: ConnectionContext): ConnectionContext {
    const key = JSON.stringify(context);
    const known = this.#known.get(key) ?? context;
    this.#known.set(key, known);
    return known;
  }
}
