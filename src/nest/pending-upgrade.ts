import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { refuseUpgrade } from './upgrade-refusal.js';

/** An upgrade on its way to a WebSocket server: passed on, refused, or left by its client. */
export class PendingUpgrade {
  #settled = false;
  #stopWaiting: (() => void) | undefined;

  /**
   * @param patience - how long it may wait, in ms
   * @param pass - hands it to the WebSocket server
   */
  constructor(
    readonly request: IncomingMessage,
    readonly socket: Duplex,
    readonly patience: number,
    private readonly pass: () => void,
  ) {}

  get settled(): boolean {
    return this.#settled;
  }

  /**
   * Watches the socket, which nobody else does now, until this is settled; then `forget` is
   * called, and the socket is as it came.
   */
  wait(forget: () => void): void {
    const { socket } = this;
    // A client that ends its side before the answer has gone: there is no half-open WebSocket.
    const onEnd = (): void => void socket.destroy();
    const onClose = (): void => void this.#settle();
    socket.on('error', leaveToClose).on('end', onEnd).on('close', onClose);
    this.#stopWaiting = () => {
      socket.off('error', leaveToClose).off('end', onEnd).off('close', onClose);
      forget();
    };
  }

  proceed(): void {
    if (this.#settle()) this.pass();
  }

  /** Whether it was still to be refused. */
  refuse(status: number, headers?: Readonly<Record<string, string>>): boolean {
    if (!this.#settle()) return false;
    refuseUpgrade(this.socket, status, headers);
    return true;
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#stopWaiting?.();
    return true;
  }
}

/** An error with no listener would end the process; the 'close' that follows tells all. */
function leaveToClose(): void {}
