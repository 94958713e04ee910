import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
} from '@nestjs/websockets';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConnectionRejectedException,
  CurrentConnection,
  SafeCloseService,
  type CloseOutcome,
  type Connection,
  type HandlersPolicy,
  type OnGatewayDrain,
} from 'nestjs-safe-close';
import type { WebSocket } from 'ws';
import { CloseLog } from './close.log.js';

/** As long as looking a user up takes somewhere; what a client sends meanwhile waits. */
const LOOK_UP_MS = 400;
const MAX_NAME_LENGTH = 24;

interface Kick {
  readonly name: string;
  readonly code: number;
  readonly reason: string;
  readonly handlers: HandlersPolicy;
}

interface Reply<T> {
  readonly event: string;
  readonly data: T;
}

@WebSocketGateway({ path: '/chat' })
export class ChatGateway implements OnGatewayConnection, OnGatewayDisconnect, OnGatewayDrain {
  constructor(
    private readonly safeClose: SafeCloseService,
    private readonly closes: CloseLog,
  ) {}

  async handleConnection(client: WebSocket, request: IncomingMessage): Promise<void> {
    const connection = this.safeClose.connection(client)!;
    const { searchParams } = new URL(request.url ?? '', 'ws://localhost');
    const name = searchParams.get('name')?.trim().slice(0, MAX_NAME_LENGTH) ?? '';
    void this.closes.watch(name || '(no name)', connection);
    await sleep(LOOK_UP_MS);
    if (name === '') throw new ConnectionRejectedException(4400, 'a name is needed');
    if (this.find(name)) throw new ConnectionRejectedException(4409, `${name} is taken`);
    connection.data['name'] = name;
    connection.post('welcome', name);
    this.tellAll('people', this.people());
  }

  handleDrain(client: WebSocket): void {
    this.safeClose.post(client, 'restarting');
  }

  handleDisconnect(): void {
    this.tellAll('people', this.people());
  }

  @SubscribeMessage('say')
  say(@CurrentConnection() me: Connection, @MessageBody() text: unknown): void {
    this.tellAll('said', { from: me.data['name'], text: String(text).slice(0, 1_000) });
  }

  /** An answer that takes its time, to close a connection under. */
  @SubscribeMessage('work')
  async work(): Promise<Reply<string>> {
    await sleep(3_000);
    return { event: 'worked', data: 'Here is the answer that took 3 seconds.' };
  }

  @SubscribeMessage('kick')
  async kick(@MessageBody() { name, code, reason, handlers }: Kick): Promise<Reply<unknown>> {
    const connection = this.find(name);
    if (!connection) return { event: 'kicked', data: { name } };
    const outcome: CloseOutcome = await connection.close(code, reason, { handlers });
    return { event: 'kicked', data: { name, outcome } };
  }

  private find(name: string): Connection | undefined {
    return this.members().find(({ data }) => data['name'] === name);
  }

  private people(): unknown[] {
    return this.members().map(({ data }) => data['name']);
  }

  private members(): Connection[] {
    return [...this.safeClose.connections].filter(
      ({ state, data }) => (state === 'open' || state === 'connecting') && data['name'],
    );
  }

  private tellAll(event: string, data: unknown): void {
    for (const member of this.members()) member.post(event, data);
  }
}
