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

/** The place of each message's handler among those of one gateway. */
type Places = Map<unknown, number>;

function placesOf(handlers: readonly BoundHandler[]): Places {
  return new Map(handlers.map(({ message }, index) => [message, index]));
}

function fits(places: Places, handlers: readonly BoundHandler[]): boolean {
  return (
    places.size === handlers.length &&
    handlers.every(({ message }, index) => places.get(message) === index)
  );
}

/** What the connections of one server share: Nest binds the same handlers to each of them. */
export class DispatchPlan {
  readonly #places: Places[] = [];

  /** @param declared - what is said of the handlers of each gateway, in the order of binding */
  constructor(
    readonly parse: Parse,
    private readonly declared: readonly TraitsByMessage[] = [],
  ) {}

  /** The places of the handlers of the `index`-th gateway. */
  placesAt(index: number, handlers: readonly BoundHandler[]): Places {
    const places = (this.#places[index] ??= placesOf(handlers));
    return fits(places, handlers) ? places : placesOf(handlers);
  }

  traitsOf(index: number, event: string): HandlerTraits | undefined {
    if (this.declared.length === 0) return undefined;
    const own = this.declared[index];
    const declared = own?.has(event) ? own : this.declared.find((other) => other.has(event));
    return declared?.get(event);
  }
}

interface BoundGateway {
  readonly places: Places;
  readonly callbacks: readonly BoundHandler['callback'][];
}

/**
 * From a frame to the handlers of all gateways on one connection. The frame is parsed once, and
 * no rxjs stands in between: an Observable costs only the handler that returns one.
 */
export class MessageDispatch implements Dispatcher {
  #gateways: BoundGateway[] | undefined;

  constructor(
    private readonly owner: Owner,
    private readonly plan: DispatchPlan,
  ) {}

  /** Adds the handlers of one gateway. */
  bind(handlers: readonly BoundHandler[]): void {
    if (handlers.length === 0) return;
    const gateway = {
      places: this.plan.placesAt(this.#gateways?.length ?? 0, handlers),
      callbacks: handlers.map(({ callback }) => callback),
    };
    // Most servers have one; [] would make room for 17.
    if (this.#gateways) this.#gateways.push(gateway);
    else this.#gateways = [gateway];
  }

  dispatch(data: ReceivedData, isBinary: boolean): void {
    const { owner, plan } = this;
    // What binaryType makes of a binary frame is the app's choice; text always is a Buffer.
    const frame = data as Buffer;
    let message: ReturnType<Parse>;
    try {
      message = plan.parse(isBinary ? frame : frame.toString(), isBinary);
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
    const gateways = this.#gateways ?? [];
    let known = false;
    for (let index = 0; index < gateways.length; index++) {
      const { places, callbacks } = gateways[index]!;
      const place = places.get(event);
      if (place === undefined) continue;
      const callback = callbacks[place]!;
      known = true;
      // The handler of another gateway may just have closed.
      if (!owner.live) {
        owner.tell('message-after-close');
        continue;
      }
      const traits = plan.traitsOf(index, event);
      if (!traits && owner.unhindered) {
        owner.calls.run(callback, message.data, event);
        continue;
      }
      owner.takeTurn(traits ?? CONCURRENT, receivedBytes(frame), (call) => {
        owner.calls.run(callback, message.data, event, call);
      });
    }
    if (!known) owner.tell('unknown-event');
  }
}
