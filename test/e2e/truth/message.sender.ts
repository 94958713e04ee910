import type { WebSocket } from 'ws';
import type { SafeCloseService, SendOutcome } from '../../../src/index.js';
import type { ReadQuestion, Sent } from './connection.record.js';
import { bodyOf, frameLength, textOf } from './messages.js';
import type { MessageSize, ServerAct } from './schedule.types.js';

type Act<D extends ServerAct['do']> = Extract<ServerAct, { do: D }>;
type Sending = Pick<Sent, 'n' | 'via' | 'size'> & Partial<Sent>;

/** What a sender needs of the run of its connection. */
export interface SenderHost {
  readonly service: SafeCloseService;
  /** Known from `handleConnection` on. */
  readonly client: WebSocket | undefined;
  /** The socket, or the connection's id before that. */
  readonly target: WebSocket | string;
  /** Sends made now must be accepted, unless somebody destroys the socket. */
  readonly sheltered: boolean;
  /** What there is no room for is refused. */
  readonly limited: boolean;
  follow<T>(label: string, promise: Promise<T>, settled: (value: T) => void): void;
  fault(text: string): void;
}

/** Sends numbered messages in every way there is, and notes what their senders are told. */
export class MessageSender {
  readonly sent: Sent[] = [];
  readonly questions: ReadQuestion[] = [];
  #numbers = 0;

  constructor(private readonly host: SenderHost) {}

  send(act: Act<'send'>): void {
    const { size, binary, acknowledge, aborted, bad } = act;
    const n = ++this.#numbers;
    const text = textOf(n, size);
    const sent = this.#note({ n, via: 'send', size, binary, acknowledge, promised: true });
    const data = bad ? ({ no: 'frame' } as never) : binary ? Buffer.from(text) : text;
    const options = { acknowledge, ...(aborted && { signal: AbortSignal.abort() }) };
    const told = this.#teller(sent);
    this.host.follow(
      `send ${n}`,
      this.host.service.send(this.host.target, data, options),
      (outcome) => {
        told(outcome);
        const possible = (!bad && !aborted) || outcome.status === 'refused';
        if (!possible) this.host.fault(`message ${n} can't be sent, but was ${outcome.status}`);
      },
    );
  }

  emit({ size, acknowledge, bad }: Act<'emit'>): void {
    const { service, target } = this.host;
    if (bad) {
      this.host.follow('a bad event', service.emit(target, 'm', 1n), ({ status }) => {
        if (status !== 'refused') this.host.fault(`an event without a JSON form was ${status}`);
      });
      return;
    }
    const { data, sent } = this.#numbered({ via: 'emit', size, acknowledge, promised: true });
    const promise = service.emit(target, 'm', data, { acknowledge });
    this.host.follow(`emit ${sent().n}`, promise, this.#teller(sent()));
  }

  post({ size }: Act<'post'>): void {
    const { service, target } = this.host;
    const { data, sent } = this.#numbered({ via: 'post', size });
    const accepted = service.post(target, 'm', data);
    sent().accepted = accepted;
    if (!accepted && this.host.sheltered && !this.host.limited) this.#refusedInShelter(sent());
  }

  raw(act: Act<'raw'>): void {
    const { size, binary, callback } = act;
    const { client } = this.host;
    if (!client) return;
    const n = ++this.#numbers;
    const text = textOf(n, size);
    const sent = this.#note({ n, via: 'raw', size, binary, promised: callback !== 'none' });
    const data = binary ? Buffer.from(text) : text;
    if (callback === 'none') {
      client.send(data);
      return;
    }
    const told = this.#teller(sent);
    const called = new Promise<void>((resolve) => {
      client.send(data, (error) => {
        const failed = error as (Error & { outcome: SendOutcome }) | undefined;
        told(failed ? failed.outcome : { status: 'written' });
        if (callback === 'sends') this.raw({ ...act, callback: 'notes' });
        resolve();
      });
    });
    this.host.follow(`the callback of ${n}`, called, () => {});
  }

  /** A reply to return from a handler: it is serialised only once it is accepted. */
  reply(size: MessageSize, serialized?: () => void): object {
    const accepted = this.host.limited ? undefined : true;
    const { data } = this.#numbered({ via: 'reply', size, accepted }, serialized);
    return { event: 'm', data };
  }

  ask(timeout: number | undefined): void {
    const question: ReadQuestion = { upTo: this.#numbers };
    this.questions.push(question);
    this.host.follow(
      `acknowledged() after ${question.upTo}`,
      this.host.service.acknowledged(this.host.target, timeout),
      (answer) => {
        question.answer = answer;
      },
    );
  }

  /** Data that is numbered as it is serialised: in the same moment, it is accepted or refused. */
  #numbered(
    sending: Omit<Sending, 'n'>,
    serialized?: () => void,
  ): { data: object; sent: () => Sent } {
    let sent: Sent | undefined;
    const toJSON = (): unknown => {
      const n = ++this.#numbers;
      sent = this.#note({ ...sending, n, length: frameLength(n, sending.size) });
      serialized?.();
      return bodyOf(n, sending.size);
    };
    return { data: { toJSON }, sent: () => sent! };
  }

  #note(sending: Sending): Sent {
    const sent: Sent = {
      length: textOf(sending.n, sending.size).length,
      binary: false,
      promised: false,
      acknowledge: false,
      outcomes: [],
      accepted: undefined,
      ...sending,
    };
    this.sent.push(sent);
    return sent;
  }

  #teller(sent: Sent): (outcome: SendOutcome) => void {
    const { sheltered } = this.host;
    return (outcome) => {
      sent.outcomes.push(outcome);
      sent.accepted = outcome.status !== 'refused';
      if (sheltered && outcome.status === 'refused' && outcome.cause === 'closing') {
        this.#refusedInShelter(sent);
      }
    };
  }

  #refusedInShelter({ n }: Sent): void {
    this.host.fault(`message ${n}, sent in the macrotask in which closing began, was refused`);
  }
}
