import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { SetupError } from '../core/errors.js';
import type { Connection } from '../runtime/connection.js';
import { observationOf, ownerOf } from '../ws/ownership.js';

function currentConnection(context: ExecutionContext): Connection {
  const client: unknown = context.switchToWs().getClient();
  const connection = ownerOf(client) ?? observationOf(client);
  if (connection) return connection;
  throw new SetupError(
    'ERR_NO_OWNER',
    'This client has no owner: import SafeCloseModule.forRoot(), and with installAdapter: false ' +
      'also write @UseInterceptors(ConnectionLifecycleInterceptor) on the gateway.',
  );
}

/** The `Connection` that the message came by. */
export const CurrentConnection: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => currentConnection(context),
);

/** Its `AbortSignal`: aborted once this handler's reply can no longer be sent. */
export const ConnectionSignal: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => currentConnection(context).signal,
);
