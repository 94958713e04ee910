import { Injectable } from '@nestjs/common';
import type { CloseOutcome, Connection } from 'nestjs-safe-close';

export interface CloseEntry {
  readonly name: string;
  readonly at: number;
  readonly outcome: CloseOutcome;
}

const KEPT = 8;

/** The last outcomes, newest first. */
@Injectable()
export class CloseLog {
  readonly entries: CloseEntry[] = [];

  /** Writes down how this connection ends, once it does. */
  async watch(name: string, connection: Connection): Promise<void> {
    const outcome = await connection.closed;
    this.entries.unshift({ name, at: Date.now(), outcome });
    this.entries.length = Math.min(this.entries.length, KEPT);
  }
}
