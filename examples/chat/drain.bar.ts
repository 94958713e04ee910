import { Injectable } from '@nestjs/common';
import { SafeCloseService, type DrainProgress } from 'nestjs-safe-close';

const WIDTH = 30;

function lineOf({ asked, total, connections, handlersInFlight, timeLeft }: DrainProgress): string {
  const left =
    connections.connecting + connections.open + connections.draining + connections.closing;
  const share = total === 0 ? 1 : (total - left) / total;
  const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
  return (
    `${bar} ${total - left} of ${total} gone, ${asked} asked, ${handlersInFlight} handlers run, ` +
    `${(timeLeft / 1000).toFixed(1)} s left`
  );
}

/** Shows how far the shutdown has come, where a person looks on. */
@Injectable()
export class DrainBar {
  constructor(safeClose: SafeCloseService) {
    const { stdout } = process;
    if (!stdout.isTTY) return;
    safeClose.drain$.subscribe({
      next: (progress) => {
        stdout.clearLine(0);
        stdout.cursorTo(0);
        stdout.write(lineOf(progress));
      },
      complete: () => stdout.write('\n'),
    });
  }
}
