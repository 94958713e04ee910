import type { WebSocket } from 'ws';

/** A gateway that says goodbye to its clients before the server closes them to shut down. */
export interface OnGatewayDrain {
  /**
   * Called once for each client, before its close frame; what it sends arrives first. A quarter of
   * the time left is waited for a promise. Not for request-scoped gateways, which have no instance.
   */
  handleDrain(client: WebSocket): void | Promise<void>;
}
