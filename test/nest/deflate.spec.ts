import { describe, expect, test } from '@jest/globals';
import { WsClient } from '../support/clients/ws.client.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';

async function compressing(options: Record<string, unknown>) {
  const Gateway = gatewayOf(Echo, 0, options);
  const hosted = await host({ providers: [Gateway] });
  const clients = [await WsClient.connect(hosted.url()), await WsClient.connect(hosted.url())];
  const gateway = hosted.get(Gateway);
  await gateway.arrivals.reached(2, 'arrival');
  return { service: hosted.service, sockets: gateway.arrivals.all, clients };
}

describe('A gateway that compresses', () => {
  test('answers and broadcasts in one order, and tells of each as ever', async () => {
    const { service, sockets, clients } = await compressing({ perMessageDeflate: true });
    for (const { extensions } of sockets) expect(extensions).toBe('permessage-deflate');
    const text = 'the same text '.repeat(100);
    const outcomes = [];
    for (let round = 0; round < 20; round++) {
      outcomes.push(service.broadcast({}, 'news', `${text}${round}`));
      // On the first, ws has something under way when the next broadcast comes.
      void service.emit(sockets[0]!, 'own', `${text}${round}`);
      // oxlint-disable-next-line no-await-in-loop
      if (round % 3 === 0) await outcomes.at(-1);
    }
    for (const outcome of await Promise.all(outcomes)) {
      expect(outcome).toMatchObject({ targets: 2, written: 2 });
    }
    await clients[0]!.messages.reached(40, 'message');
    await clients[1]!.messages.reached(20, 'message');
    const rounds = Array.from({ length: 20 }, (_, round) => `${text}${round}`);
    expect(clients[1]!.messages.all).toEqual(
      rounds.map((data) => JSON.stringify({ event: 'news', data })),
    );
    expect(clients[0]!.messages.all).toEqual(
      rounds.flatMap((data) => ['news', 'own'].map((event) => JSON.stringify({ event, data }))),
    );
  });

  test('is any in a run with --deflate, and else one that is told to', async () => {
    const { sockets } = await compressing({});
    expect(sockets[0]!.extensions).toBe(process.env['DEFLATE'] ? 'permessage-deflate' : '');
  });
});
