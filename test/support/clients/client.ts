import { Tally, within, type Deferred } from '../waiting.js';

/** How a connection ended, as the client's own library reports it. */
export interface ClientClose {
  readonly code: number;
  readonly reason: string;
  /** Of WHATWG clients only. */
  readonly wasClean?: boolean;
}

/** A message in Nest's frame. */
export interface EventMessage {
  readonly event: string;
  readonly data: unknown;
}

/** What tests ask of a client, whatever library it is made with. */
export abstract class Client {
  /** The messages received so far, as text. */
  readonly messages = new Tally<string>();
  protected abstract readonly end: Deferred<ClientClose>;

  /** Sends a text frame as it is. */
  abstract text(data: string): void;
  abstract close(code?: number, reason?: string): void;

  /** Sends Nest's `{ event, data }` frame. */
  emit(event: string, data?: unknown): void {
    this.text(JSON.stringify({ event, data }));
  }

  /** The messages received so far, read as Nest's frames. */
  get events(): EventMessage[] {
    return this.messages.all.map((message) => JSON.parse(message) as EventMessage);
  }

  /** The data of the messages of one event, in the order of their arrival. */
  dataOf(event: string): unknown[] {
    return this.events.filter((message) => message.event === event).map(({ data }) => data);
  }

  /** Waits for the n-th message, counted from 0. */
  async message(index: number): Promise<EventMessage> {
    return JSON.parse(await this.messages.at(index, 'message received')) as EventMessage;
  }

  /** Waits for the end of the connection. */
  closed(): Promise<ClientClose> {
    return within(this.end.promise, 'the client to see the connection closed');
  }
}
