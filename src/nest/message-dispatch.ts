import type { Owner } from '../runtime/owner.js';
import type { ReceivedData } from '../runtime/socket.port.js';

/** A handler as Nest binds it to one client. */
export interface BoundHandler {
  readonly message: unknown;
  readonly callback: (data: unknown, event: string) => unknown;
}

/** Turns a frame into Nest's message; nothing where it is to be dropped. */
export type Parse = (
  data: Buffer | string,
  isBinary: boolean,
) => { event: string; data: unknown } | undefined | null | void;

/**
 * From a frame to the handlers of all gateways on one connection. The frame is parsed once, and
 * no rxjs stands in between: an Observable costs only the handler that returns one.
 */
export class MessageDispatch {
  readonly #gateways: (readonly BoundHandler[] | Map<unknown, BoundHandler>)[] = [];

  constructor(
    private readonly owner: Owner,
    private readonly parse: Parse,
  ) {
    owner.dispatchTo((data, isBinary) => this.#dispatch(data, isBinary));
  }

  /** Adds the handlers of one gateway. */
  bind(handlers: readonly BoundHandler[]): void {
    if (handlers.length > 0) this.#gateways.push(handlers);
  }

  #dispatch(data: ReceivedData, isBinary: boolean): void {
    const { owner } = this;
    // What binaryType makes of a binary frame is the app's choice; text always is a Buffer.
    const frame = data as Buffer;
    let message: ReturnType<Parse>;
    try {
      message = this.parse(isBinary ? frame : frame.toString(), isBinary);
    } catch (error) {
      owner.tell('unreadable-message', { error });
      return;
    }
    if (message === undefined) return;
    if (!message) {
      owner.tell('unreadable-message');
      return;
    }
    const { event } = message;
    let known = false;
    for (let index = 0; index < this.#gateways.length; index++) {
      const handler = this.#handlersOf(index).get(event);
      if (!handler) continue;
      known = true;
      // The handler of another gateway may just have closed.
      if (owner.live) owner.calls.run(handler.callback, message.data, event);
      else owner.tell('message-after-close');
    }
    if (!known) owner.tell('unknown-event');
  }

  /** Most connections of a server with many gateways never use most of them. */
  #handlersOf(index: number): Map<unknown, BoundHandler> {
    const handlers = this.#gateways[index]!;
    if (handlers instanceof Map) return handlers;
    const map = new Map(handlers.map((handler) => [handler.message, handler]));
    this.#gateways[index] = map;
    return map;
  }
}
