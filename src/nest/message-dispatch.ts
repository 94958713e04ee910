import type { HandlerTraits } from '../runtime/handler-call.js';
import type { Dispatcher } from '../runtime/inbox.js';
import type { Owner } from '../runtime/owner.js';
import { receivedBytes } from '../runtime/received-bytes.js';
import type { ReceivedData } from '../runtime/socket.port.js';
import type { TraitsByMessage } from './handler.decorators.js';

const CONCURRENT: HandlerTraits = { order: 'concurrent' };

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
export class MessageDispatch implements Dispatcher {
  readonly #gateways: (readonly BoundHandler[] | Map<unknown, BoundHandler>)[] = [];

  /** @param declared - what is said of the handlers of each gateway, in the order of binding */
  constructor(
    private readonly owner: Owner,
    private readonly parse: Parse,
    private readonly declared: readonly TraitsByMessage[] = [],
  ) {
    owner.dispatchTo(this);
  }

  /** Adds the handlers of one gateway. */
  bind(handlers: readonly BoundHandler[]): void {
    if (handlers.length > 0) this.#gateways.push(handlers);
  }

  dispatch(data: ReceivedData, isBinary: boolean): void {
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
      if (!owner.live) {
        owner.tell('message-after-close');
        continue;
      }
      const traits = this.#traitsOf(index, event);
      if (!traits && owner.unhindered) {
        owner.calls.run(handler.callback, message.data, event);
        continue;
      }
      owner.takeTurn(traits ?? CONCURRENT, receivedBytes(frame), (call) => {
        owner.calls.run(handler.callback, message.data, event, call);
      });
    }
    if (!known) owner.tell('unknown-event');
  }

  #traitsOf(index: number, event: string): HandlerTraits | undefined {
    if (this.declared.length === 0) return undefined;
    const own = this.declared[index];
    const declared = own?.has(event) ? own : this.declared.find((other) => other.has(event));
    return declared?.get(event);
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
