/* oxlint-disable typescript/unbound-method -- they are called with the object that they are of. */
import type { IncomingMessage } from 'node:http';
import { SafeCloseWsAdapter } from '../../src/nest/safe-close.ws-adapter.js';
import { GatedServer } from '../../src/nest/gated.server.js';

/*
 * Every server of the adapter compresses every message to those who can read it (`--deflate`). Not
 * to undici: where a compressed message comes behind its close(), it sees 1006, of ws alone, too.
 */
const { create } = SafeCloseWsAdapter.prototype;
SafeCloseWsAdapter.prototype.create = function (port, options) {
  return create.call(this, port, { perMessageDeflate: { threshold: 0 }, ...options });
};

const { handleUpgrade } = GatedServer.prototype;
GatedServer.prototype.handleUpgrade = function (request: IncomingMessage, ...rest) {
  const { headers } = request;
  if (headers['user-agent'] === 'undici') delete headers['sec-websocket-extensions'];
  handleUpgrade.call(this, request, ...rest);
};
