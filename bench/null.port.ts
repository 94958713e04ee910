import type { Handover, SocketPort } from '../src/runtime/socket.port.js';

/** Takes everything at once. */
export class NullPort implements SocketPort {
  readonly connecting = false;
  readonly writable = true;
  readonly blocked = false;
  readonly bufferedAmount = 0;
  readonly paused = false;
  lastPing: Buffer | undefined;

  send(_data: unknown, _options: unknown, _written: () => void): Handover {
    return 'taken';
  }

  ping(payload: Buffer): void {
    this.lastPing = payload;
  }

  probe(): void {}
  close(): void {}
  end(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}

  progressMark(): number {
    return 0;
  }
}

const onWay: (() => void)[] = [];

/** As the kernel does it: takes a message after the call that hands it over, never within it. */
export class LatePort extends NullPort {
  override send(_data: unknown, _options: unknown, written: () => void): Handover {
    onWay.push(written);
    return 'pending';
  }
}

/** What all late ports were handed is taken. */
export function takeAll(): void {
  for (const written of onWay.splice(0)) written();
}
