import type { Server } from 'node:http';
import type { Gateways } from './gateways.js';
import type { SafeCloseEngine } from './safe-close.engine.js';

/** What the module lends to the adapter. */
export interface AdapterHost {
  readonly engine: SafeCloseEngine;
  readonly gateways: Gateways;
  /** The HTTP server of the app; none in an application context. */
  httpServer(): Server | undefined;
}
