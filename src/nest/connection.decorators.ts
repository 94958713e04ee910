import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { SetupError } from '../core/errors.js';
import type { Owner } from '../runtime/owner.js';
import { ownerOf } from '../ws/ownership.js';

function currentOwner(context: ExecutionContext): Owner {
  const owner = ownerOf(context.switchToWs().getClient());
  if (owner) return owner;
  throw new SetupError(
    'ERR_NO_OWNER',
    'This client has no owner: import SafeCloseModule.forRoot(), and with installAdapter: false ' +
      'also write @UseInterceptors(ConnectionLifecycleInterceptor) on the gateway.',
  );
}

/** The `Connection` that the message came by. */
export const CurrentConnection: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => currentOwner(context),
);

/** Its `AbortSignal`: aborted once this handler's reply can no longer be sent. */
export const ConnectionSignal: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => currentOwner(context).signal,
);
