import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Conflate, Serial } from 'nestjs-safe-close';

const PART = 'x'.repeat(64 * 1024);

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

@WebSocketGateway()
export class FeedGateway {
  balance = 0;

  /** Asked for its next part only while there is room for it. */
  @SubscribeMessage('export')
  async *export(@MessageBody() parts: number) {
    for (let n = 0; n < parts; n++) yield { event: 'part', data: PART };
  }

  /** Reads, awaits, writes. */
  @Serial()
  @SubscribeMessage('add')
  async add() {
    const { balance } = this;
    await nextTurn();
    this.balance = balance + 1;
    return { event: 'balance', data: this.balance };
  }

  @Conflate('price')
  @SubscribeMessage('price')
  price(@MessageBody() data: number) {
    return { event: 'price', data };
  }
}
