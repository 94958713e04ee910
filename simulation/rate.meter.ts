/** How often a window is looked at, in ms; a second has ten of these. */
const STEP = 100;
const STEPS = 10;

// See random.ts.
const { floor } = Math;

/** Counts events, and knows the most that fell into one second, wherever that second begins. */
export class RateMeter {
  readonly #steps = new Float64Array(STEPS);
  #step = 0;
  #inWindow = 0;
  #peak = 0;

  get peak(): number {
    return this.#peak;
  }

  /** `now` in ms; must not go back. */
  count(now: number): void {
    this.#goTo(floor(now / STEP));
    this.#steps[this.#step % STEPS]!++;
    this.#inWindow++;
    if (this.#inWindow > this.#peak) this.#peak = this.#inWindow;
  }

  #goTo(step: number): void {
    if (step - this.#step >= STEPS) {
      this.#steps.fill(0);
      this.#inWindow = 0;
      this.#step = step;
    }
    while (this.#step < step) {
      const oldest = ++this.#step % STEPS;
      this.#inWindow -= this.#steps[oldest]!;
      this.#steps[oldest] = 0;
    }
  }
}
