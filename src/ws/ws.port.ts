import { WebSocket } from 'ws';
import { NO_STATUS_RECEIVED } from '../core/close-code.js';
import type { CloseFrame } from '../core/close-request.js';
import type { MessageData, MessageOptions, SocketPort } from '../runtime/socket.port.js';
import type { BaseMembers } from './base-members.js';
import {
  closeFrameReceived,
  receiverError,
  receiverFailed,
  writeQueueSize,
} from './ws.internals.js';

/** What ws's receiver has met that it answers by calling `close()` itself. */
export type ReceiverVerdict = 'peer-closed' | 'protocol-failed';

/** The port over one ws socket: it calls the methods that the owner's own ones stand before. */
export class WsPort implements SocketPort {
  /** ws's own methods are running, and see the state that ws keeps rather than the owner's. */
  inside = false;
  #verdict: ReceiverVerdict | undefined;

  constructor(
    private readonly socket: WebSocket,
    private readonly base: BaseMembers,
  ) {}

  get readyState(): number {
    return this.base.readyState.call(this.socket);
  }

  get connecting(): boolean {
    return this.readyState === WebSocket.CONNECTING;
  }

  get writable(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get bufferedAmount(): number {
    return this.base.bufferedAmount.call(this.socket);
  }

  send(
    data: MessageData,
    options: MessageOptions | undefined,
    written: (error?: Error | null) => void,
  ): void {
    this.#inside(() => this.base.send.call(this.socket, data, options ?? {}, written));
  }

  ping(payload: Buffer): void {
    this.#inside(() => this.base.ping.call(this.socket, payload));
  }

  /** Answers a ping that ws left unanswered as it saw the owner's state. */
  pong(payload: Buffer): void {
    this.#inside(() => this.base.pong.call(this.socket, payload));
  }

  close({ code, reason }: CloseFrame): void {
    this.#inside(() => {
      if (code === NO_STATUS_RECEIVED) this.base.close.call(this.socket);
      else this.base.close.call(this.socket, code, reason);
    });
  }

  /** ws ends the socket in a `close()` that follows both close frames. */
  end(): void {
    this.#inside(() => this.base.close.call(this.socket));
  }

  destroy(): void {
    this.#inside(() => this.base.terminate.call(this.socket));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (this.socket.isPaused) this.socket.resume();
  }

  progressMark(): number {
    return writeQueueSize(this.socket);
  }

  /** Whether a call of `close()` is ws's own, and why; told once each. */
  takeVerdict(): ReceiverVerdict | undefined {
    if (this.#verdict) return undefined;
    if (receiverFailed(this.socket)) this.#verdict = 'protocol-failed';
    else if (closeFrameReceived(this.socket)) this.#verdict = 'peer-closed';
    return this.#verdict;
  }

  /** Why ws reads no more. */
  get receiverError(): unknown {
    return receiverError(this.socket);
  }

  #inside(call: () => void): void {
    const before = this.inside;
    this.inside = true;
    try {
      call();
    } finally {
      this.inside = before;
    }
  }
}
