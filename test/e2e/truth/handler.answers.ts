import { Observable } from 'rxjs';
import type { Ask, MessageSize } from './schedule.types.js';
import { turns } from './turns.js';

/** What handlers need of the run of their connection. */
export interface AnswersHost {
  /** A reply that numbers itself; `serialized` is called if it is accepted. */
  reply(size: MessageSize, serialized?: () => void): object;
  /** The server or Nest may send something of its own. */
  expectUnnumbered(): void;
  /** Closes on the raw socket; whether the connection was live. */
  closeByHandler(): boolean;
  /** Nobody has destroyed the socket. */
  readonly undisturbed: boolean;
  fault(text: string): void;
}

/** What a handler returns for a request. */
export function answerTo(ask: Ask, host: AnswersHost): unknown {
  switch (ask.mode) {
    case 'sync':
      return host.reply(ask.size);
    case 'async':
      return turns(ask.turns).then(() => host.reply(ask.size));
    case 'stream':
      return streamOf(ask, host);
    case 'never':
      return new Promise(() => {});
    case 'throws':
      host.expectUnnumbered();
      throw new Error('thrown by a handler');
    case 'rejects':
      host.expectUnnumbered();
      return turns(ask.turns).then(() => Promise.reject(new Error('rejected by a handler')));
    case 'unserializable':
      host.expectUnnumbered();
      return { event: 'm', data: 1n };
    case 'closes':
      return closeAndReply(ask, host);
  }
}

/** `client.close(); return reply;`: the reply goes before the close frame. */
function closeAndReply(ask: Ask, host: AnswersHost): object {
  let accepted = false;
  const live = host.closeByHandler();
  if (live) {
    setImmediate(() => {
      if (accepted || !host.undisturbed) return;
      host.fault('the reply of a handler that closed in the same macrotask was refused');
    });
  }
  return host.reply(ask.size, () => {
    accepted = true;
  });
}

function streamOf(ask: Ask, host: AnswersHost): Observable<object> {
  return new Observable((subscriber) => {
    const emit = async (): Promise<void> => {
      for (let left = ask.values; left > 0 && !subscriber.closed; left--) {
        subscriber.next(host.reply(ask.size));
        await turns(ask.turns);
      }
      subscriber.complete();
    };
    void emit();
  });
}
