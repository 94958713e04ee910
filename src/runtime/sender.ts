import type { CloseOutcome, RefusalCause, SendOutcome } from '../core/outcomes.js';
import type { RaceKind } from '../core/races.js';
import { MAX_TIMER_MS, type Clock } from './clock.js';
import type { SendOptions } from './connection.js';
import type { ConnectionPolicyValues } from './connection.policy.js';
import { encodeFrame } from './frame.js';
import type { RaceDetail } from './lifecycle.observer.js';
import type { Outbox } from './outbox.js';
import type { SendRequest, Settle } from './send-request.js';
import type { MessageData } from './socket.port.js';

function exceptionOf(detail: unknown): { event: string; data: unknown } {
  const data = typeof detail === 'object' ? detail : { status: 'error', message: detail };
  return { event: 'exception', data };
}

/** What Nest's filters tell a client of an unknown error, for one that waits for a reply. */
const INTERNAL_ERROR = exceptionOf('Internal server error');

/** Of options that come from the app, and may be anything. */
export function conflating(options: unknown): Pick<SendRequest, 'conflate'> | undefined {
  const { conflate } = Object(options) as { conflate?: unknown };
  return typeof conflate === 'string' ? { conflate } : undefined;
}

/** What a sender needs of its connection. */
export interface SenderHost {
  readonly clock: Clock;
  readonly policy: ConnectionPolicyValues;
  /** Throws where a message has no form. */
  readonly encode: (message: unknown) => string | Buffer;
  /** Why nothing is accepted now; `undefined` where it is. */
  readonly refusal: RefusalCause | undefined;
  readonly closed: Promise<CloseOutcome>;
  tell(kind: RaceKind, detail?: RaceDetail): void;
  /** More was sent than there is room for, and the policy is to close. */
  onSlowConsumer(): void;
}

/** Every way to send on one connection: each message is accepted, or refused and told. */
export class Sender {
  readonly outbox: Outbox;
  readonly #host: SenderHost;

  constructor(host: SenderHost, outbox: Outbox) {
    this.#host = host;
    this.outbox = outbox;
  }

  send(data: MessageData, options?: SendOptions): Promise<SendOutcome> {
    if (options === undefined && !this.#host.policy.send.acknowledge && !this.#host.refusal) {
      const outcome = this.outbox.acceptInBatch(data);
      if (outcome) return outcome;
    }
    if (options?.signal?.aborted) return Promise.resolve(this.refuse('aborted'));
    return new Promise((resolve) => {
      this.submit(data, this.#requestOf(options), resolve);
    });
  }

  emit(event: string, data?: unknown, options?: SendOptions): Promise<SendOutcome> {
    const frame = this.encode({ event, data });
    return frame === undefined
      ? Promise.resolve(this.refuse('unserializable'))
      : this.send(frame, options);
  }

  post(event: string, data?: unknown, options?: Pick<SendOptions, 'conflate'>): boolean {
    const frame = this.encode({ event, data });
    if (frame !== undefined) return this.submit(frame, conflating(options), undefined, false);
    this.refuse('unserializable');
    return false;
  }

  /** Sends a handler's reply; false where nothing is accepted any more. */
  reply(value: unknown, conflate?: string): boolean {
    if (this.#host.refusal) {
      this.outbox.refused++;
      this.#host.tell('reply-after-close');
      return false;
    }
    const frame = this.encode(value) ?? this.encode(INTERNAL_ERROR);
    if (frame !== undefined) this.submit(frame, conflate === undefined ? undefined : { conflate });
    return true;
  }

  /** As Nest's filters do: what a `WsException`, known by its shape, says, and else nothing. */
  replyError(error: unknown): void {
    const { getError } = Object(error) as { getError?: () => unknown };
    const known = typeof getError === 'function';
    this.reply(known ? exceptionOf(getError.call(error)) : INTERNAL_ERROR);
  }

  /**
   * Sends without a promise; `settle`, if given, is called exactly once.
   *
   * @param patient - may be accepted later, where there is no room now
   * @returns false where it was refused
   */
  submit(data: MessageData, request?: SendRequest, settle?: Settle, patient = true): boolean {
    const { refusal } = this.#host;
    if (refusal) {
      const outcome = this.refuse(refusal);
      settle?.(outcome);
      return false;
    }
    const acceptance = this.outbox.accept(data, request, settle, patient);
    if (acceptance === 'accepted' || acceptance === 'waiting') return true;
    let outcome: SendOutcome;
    if (acceptance === 'unsendable') outcome = this.#refuseData(data);
    else outcome = this.refuse('overflow');
    if (acceptance === 'slow-consumer') this.#host.onSlowConsumer();
    settle?.(outcome);
    return false;
  }

  acknowledged(timeout: number = this.#host.policy.close.flushTimeout): Promise<boolean> {
    return new Promise((resolve) => {
      const bound = Number.isFinite(timeout) && timeout >= 0 ? Math.min(timeout, MAX_TIMER_MS) : 0;
      const timer = this.#host.clock.setTimer(bound, () => resolve(false));
      const settle = (read: boolean): void => {
        timer.cancel();
        resolve(read);
      };
      if (this.#host.refusal === undefined)
        this.outbox.whenAcknowledged(({ status }) => settle(status === 'acknowledged'));
      else void this.#host.closed.then((outcome) => settle(outcome.acknowledged));
    });
  }

  writable(): Promise<boolean> {
    if (this.#host.refusal) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.outbox.whenRoom(resolve);
    });
  }

  /** Counts and tells a send that is not accepted. */
  refuse(cause: RefusalCause): SendOutcome {
    this.outbox.refused++;
    this.tellRefusal(cause);
    return { status: 'refused', cause };
  }

  tellRefusal(cause: RefusalCause): void {
    switch (cause) {
      case 'connecting':
        this.#host.tell('send-before-open', {
          message: "Wait for the socket's 'open' before sending.",
        });
        break;
      case 'overflow':
        this.tellOverflow();
        break;
      case 'aborted':
      case 'unserializable':
        break;
      default:
        this.#host.tell('send-after-close');
    }
  }

  tellOverflow(): void {
    this.#host.tell('send-overflow');
  }

  encode(message: unknown): string | Buffer | undefined {
    return encodeFrame(this.#host.encode, message, (kind, detail) => this.#host.tell(kind, detail));
  }

  #requestOf(options: SendOptions | undefined): SendRequest | undefined {
    const acknowledge = options?.acknowledge ?? this.#host.policy.send.acknowledge;
    const conflate = conflating(options)?.conflate;
    const signal = options?.signal;
    if (conflate !== undefined || signal !== undefined) return { acknowledge, conflate, signal };
    return acknowledge ? { acknowledge } : undefined;
  }

  #refuseData(data: unknown): SendOutcome {
    this.#host.tell('unserializable', {
      message:
        `send() can't send ${Object.prototype.toString.call(data)}. Valid: a string, a Buffer, ` +
        'an ArrayBuffer, a typed array, a Blob; for objects use emit() or JSON.stringify().',
    });
    return this.refuse('unserializable');
  }
}
