import { beforeAll, describe, expect, test } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import { NestFactory } from '@nestjs/core';
import { once } from 'node:events';
import { generate } from 'selfsigned';
import { WebSocket } from 'ws';
import { directWriter } from '../../src/ws/direct-writer.js';
import { streamOf } from '../../src/ws/ws.internals.js';
import { socketPair } from '../ws/sockets.js';
import { afterTest } from '../support/cleanup.js';
import { Tally, within } from '../support/waiting.js';
import { host, type Hosted } from './hosting.js';

@WebSocketGateway()
class Echo implements OnGatewayConnection {
  readonly arrivals = new Tally<WebSocket>();

  handleConnection(client: WebSocket): void {
    this.arrivals.add(client);
  }

  @SubscribeMessage('echo')
  echo(_client: unknown, data: unknown): unknown {
    return { event: 'echo', data };
  }
}

describe('Over TLS', () => {
  let httpsOptions: { key: string; cert: string };

  beforeAll(async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }]);
    httpsOptions = { key, cert };
  });

  async function connected(): Promise<{ hosted: Hosted; client: WebSocket; socket: WebSocket }> {
    const hosted = await host({
      providers: [Echo],
      create: (root, logger) =>
        NestFactory.create(root, { httpsOptions, logger, abortOnError: false }),
    });
    const client = new WebSocket(`wss://127.0.0.1:${hosted.port}`, { rejectUnauthorized: false });
    afterTest(() => client.terminate());
    await within(once(client, 'open'), 'the connection');
    return { hosted, client, socket: await hosted.get(Echo).arrivals.at(0, 'connection') };
  }

  test('handlers reply, and a close is clean once the peer has ended its stream', async () => {
    const { hosted, client, socket } = await connected();
    const reply = once(client, 'message');
    client.send(JSON.stringify({ event: 'echo', data: 1 }));
    expect(String((await within(reply, 'a reply'))[0])).toBe('{"event":"echo","data":1}');
    // As a browser does, it leaves it to the server to end first (RFC 6455 §7.1.1).
    const stream = streamOf(client)!;
    stream.end = () => stream;
    stream.once('end', () => stream.destroy());
    const end = once(streamOf(socket)!, 'end');
    const closed = once(client, 'close');
    const outcome = await hosted.service.close(socket, 4000, 'bye');
    expect(outcome).toMatchObject({ handshake: 'clean', code: 4000, acknowledged: true });
    expect((await within(closed, 'the close'))[0]).toBe(4000);
    await within(end, 'the end of the stream');
    expect(hosted.service.report().races['handshake-timeout']).toBe(0);
  });

  test('nothing is learnt of it for plain sockets', async () => {
    const { hosted, socket } = await connected();
    expect(await hosted.service.close(socket)).toMatchObject({ handshake: 'clean' });
    const { server } = await socketPair();
    directWriter.write(server, Buffer.from('first'));
    expect(directWriter.write(server, Buffer.from('second'))).toBe(true);
  });
});
