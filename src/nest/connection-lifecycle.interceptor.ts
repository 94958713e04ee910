import {
  Inject,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import type { HandlerCall, HandlerTraits } from '../runtime/handler-call.js';
import type { Owner } from '../runtime/owner.js';
import { isPullable } from '../runtime/pulled-stream.js';
import { traitsOf } from './handler.decorators.js';
import { Takeover } from './takeover.js';

const CONCURRENT: HandlerTraits = { order: 'concurrent' };

/**
 * The lifecycle of a handler's call for apps that keep an adapter of their own: it waits for
 * readiness, counts the handler, cuts it off and refuses its reply as the connection closes. It
 * takes ownership of a socket at its first message, unless a gateway's hook came first. Beside
 * our own adapter, which does all this itself, it does nothing.
 */
@Injectable()
export class ConnectionLifecycleInterceptor implements NestInterceptor {
  readonly #takeover: Takeover;

  constructor(@Inject(Takeover) takeover: Takeover) {
    this.#takeover = takeover;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'ws') return next.handle();
    const client = context.switchToWs().getClient<unknown>();
    const owner = this.#takeover.atMessage(client, context.getClass());
    if (!owner || owner.dispatched) return next.handle();
    const { order } = owner.policy.handlers;
    const traits = traitsOf(context.getClass(), context.getHandler(), order);
    return lifecycleOf(owner, next, traits);
  }
}

/** One call: begun once the connection is open, ended once, by itself or by the closing. */
function lifecycleOf(
  owner: Owner,
  next: CallHandler,
  traits: HandlerTraits | undefined,
): Observable<unknown> {
  const bytes = owner.lastMessageBytes;
  return new Observable((subscriber) => {
    const start = (call?: HandlerCall): void => {
      if (subscriber.closed) {
        call?.end();
        return;
      }
      if (!owner.live || !owner.dispatching) {
        owner.tell(owner.live ? 'message-while-draining' : 'message-after-close');
        call?.end();
        subscriber.complete();
        return;
      }
      const observer = {
        next: (value: unknown): void => {
          // The adapter frames it, as long as it would send it at all, and as it is.
          const plain = owner.live && !traits?.conflate && !isPullable(value);
          if (plain) subscriber.next(value);
          else owner.calls.reply(value, call);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      };
      const stream = owner.calls.follow(next.handle(), observer, call);
      subscriber.add(() => stream.unsubscribe());
    };
    const begin = (): void => {
      if (!owner.dispatching || (!traits && owner.unhindered)) start();
      else owner.takeTurn(traits ?? CONCURRENT, bytes, start);
    };
    owner.whenReady(begin, bytes);
  });
}
