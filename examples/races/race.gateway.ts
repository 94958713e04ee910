import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { interval, map, tap, type Observable } from 'rxjs';
import type { WebSocket } from 'ws';

interface Reply {
  readonly event: string;
  readonly data: unknown;
}

/** ws's own close timer in the stock app, 30 s by default: shorter, as nobody waits that long. */
export const CLOSE_TIMEOUT_MS = 1_000;

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** An ordinary gateway, the same one in both apps; the races steer it through its fields. */
@WebSocketGateway({ closeTimeout: CLOSE_TIMEOUT_MS })
export class RaceGateway {
  readonly clients: WebSocket[] = [];
  /** Handlers that have started. */
  started = 0;
  /** What the handlers of `add` have counted. */
  sum = 0;
  /** Values that the Observable of `stream` has produced. */
  produced = 0;
  /** What `handleConnection` and `handleDisconnect` do. */
  admit: (client: WebSocket) => unknown = () => undefined;
  leave: () => unknown = () => undefined;
  #work: Promise<void> = Promise.resolve();

  /** The server's socket of the client that connected last. */
  get client(): WebSocket {
    return this.clients.at(-1)!;
  }

  /** Lets the handlers of `slow` work until the returned function is called. */
  holdWork(): () => void {
    let finish!: () => void;
    this.#work = new Promise((resolve) => (finish = resolve));
    return finish;
  }

  handleConnection(client: WebSocket): unknown {
    this.clients.push(client);
    return this.admit(client);
  }

  handleDisconnect(): unknown {
    return this.leave();
  }

  @SubscribeMessage('quick')
  quick(@MessageBody() data: unknown): Reply {
    this.started++;
    return { event: 'quick', data };
  }

  @SubscribeMessage('slow')
  async slow(@MessageBody() data: unknown): Promise<Reply> {
    this.started++;
    await this.#work;
    return { event: 'slow', data };
  }

  @SubscribeMessage('stream')
  stream(): Observable<Reply> {
    return interval(1).pipe(
      tap(() => this.produced++),
      map((data) => ({ event: 'value', data })),
    );
  }

  /** The later it is asked for, the sooner it is done. */
  @SubscribeMessage('turns')
  async turns(@MessageBody() data: number): Promise<Reply> {
    for (let turn = data; turn < 10; turn++) await nextTurn();
    return { event: 'turns', data };
  }

  @SubscribeMessage('add')
  async add(): Promise<Reply> {
    const { sum } = this;
    await nextTurn();
    this.sum = sum + 1;
    return { event: 'sum', data: this.sum };
  }

  @SubscribeMessage('bigint')
  bigint(): Reply {
    return { event: 'bigint', data: 1n };
  }
}
