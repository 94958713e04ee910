import type { Pulse } from '../src/runtime/heartbeat.js';

/** A peer that answers each ping before the next visit. */
export class LivePeer implements Pulse {
  visit: number | undefined;
  readonly live: boolean = true;
  readonly listening = true;
  readonly bufferedAmount = 0;
  lastSeenAt = 0;
  pings = 0;

  progressMark(): number {
    return 0;
  }

  beat(): void {
    this.pings++;
    this.lastSeenAt++;
  }

  onSilence(): void {
    throw new Error('A live peer was given up.');
  }
}
