import { SetMetadata } from '@nestjs/common';
import type { ConnectionPolicyOptions } from './safe-close.options.js';

export const CONNECTION_POLICY_METADATA = 'safe-close:connection-policy';

/**
 * Sets options for the connections of one gateway, over those of the module. Gateways that share
 * a server and path share their connections: where they differ, boot fails and names both.
 */
export function ConnectionPolicy(options: ConnectionPolicyOptions): ClassDecorator {
  return SetMetadata(CONNECTION_POLICY_METADATA, options);
}
