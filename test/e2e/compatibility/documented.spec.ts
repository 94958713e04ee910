import { WebSocketGateway } from '@nestjs/websockets';
import type { ServerOptions } from 'ws';
import { describeDocumentedContract } from '../../ws/documented.contract.js';
import { startApp } from '../../support/app.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { Reception } from '../../support/reception.js';

// The same on the stock stack, so that it can't be but what ws does.
describeDocumentedContract('the sockets of a gateway', {
  sendsBlobs: true,
  open: async (options: ServerOptions = {}) => {
    class Gateway extends Reception {}
    WebSocketGateway(options)(Gateway);
    const app = await startApp({
      gateways: [Gateway],
      options: { send: { maxBuffered: Infinity } },
    });
    const { socket: peer } = await WsClient.connect(app.url());
    const socket = await app.gateway(Gateway).socket();
    return { socket, peer };
  },
});
