import {
  Inject,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import type { Owner } from '../runtime/owner.js';
import { Takeover } from './takeover.js';

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
    return !owner || owner.dispatched ? next.handle() : lifecycleOf(owner, next);
  }
}

/** One call: begun once the connection is open, ended once, by itself or by the closing. */
function lifecycleOf(owner: Owner, next: CallHandler): Observable<unknown> {
  return new Observable((subscriber) => {
    const start = (): void => {
      if (subscriber.closed) return;
      if (!owner.live || !owner.dispatching) {
        owner.tell(owner.live ? 'message-while-draining' : 'message-after-close');
        subscriber.complete();
        return;
      }
      const stream = owner.calls.follow(next.handle(), {
        // The adapter frames it, as long as it would send it at all.
        next: (value) => (owner.live ? subscriber.next(value) : owner.calls.reply(value)),
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
      subscriber.add(() => stream.unsubscribe());
    };
    owner.whenReady(start);
  });
}
