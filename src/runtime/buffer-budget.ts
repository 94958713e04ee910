/** Bytes that all connections of one module hold for their peers, and how many they may. */
export class BufferBudget {
  used = 0;

  constructor(readonly limit: number) {}

  get exhausted(): boolean {
    return this.used >= this.limit;
  }

  /** How much more one that holds `held` of it may come to. */
  limitOf(held: number, limit: number): number {
    return Math.min(limit, held + Math.max(0, this.limit - this.used));
  }
}
