import { describe, expect, test } from '@jest/globals';
import { SubscribeMessage, WsException } from '@nestjs/websockets';
import { of } from 'rxjs';
import type { MessageSerializer, SafeCloseOptions } from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { Echo, gatewayOf } from './gateway.js';
import { host, type Hosted } from './hosting.js';

/** A binary format with a byte in front, so that nothing else passes for it. */
const MARK = 0x2a;

const binary: MessageSerializer = {
  encode: (message) =>
    Buffer.concat([Buffer.from([MARK]), Buffer.from(JSON.stringify(message) ?? 'null')]),
  decode: (data, isBinary) => {
    if (!isBinary || typeof data === 'string') throw new Error('Only binary frames are ours.');
    if (data[0] !== MARK) return undefined;
    return JSON.parse(data.subarray(1).toString()) as { event: string; data: unknown };
  },
};

class Talker extends Echo {
  @SubscribeMessage('several')
  several(): unknown {
    return of({ event: 'a' }, { event: 'b' });
  }

  @SubscribeMessage('fail')
  fail(): never {
    throw new WsException('no');
  }

  @SubscribeMessage('impossible')
  impossible(): unknown {
    return { event: 'big', data: 1n };
  }
}

async function start(
  serializer: MessageSerializer = binary,
): Promise<{ hosted: Hosted; client: WsClient; frames: { data: Buffer; binary: boolean }[] }> {
  const options: SafeCloseOptions = { serializer };
  const hosted = await host({ providers: [gatewayOf(Talker)], safeClose: options });
  const client = await WsClient.connect(hosted.url());
  const frames: { data: Buffer; binary: boolean }[] = [];
  client.socket.prependListener('message', (data: Buffer, isBinary: boolean) => {
    frames.push({ data, binary: isBinary });
  });
  return { hosted, client, frames };
}

function decoded({ data }: { data: Buffer }): unknown {
  expect(data[0]).toBe(MARK);
  return JSON.parse(data.subarray(1).toString());
}

function send(client: WsClient, event: string, data?: unknown): void {
  client.socket.send(binary.encode({ event, data }));
}

describe('A serializer', () => {
  test('decodes what comes and encodes replies, Observables and exceptions', async () => {
    const { client, frames } = await start();
    send(client, 'echo', 1);
    await client.messages.reached(1, 'reply');
    send(client, 'several');
    await client.messages.reached(3, 'reply');
    expect(frames.map(decoded)).toEqual([
      { event: 'echo', data: 1 },
      { event: 'a' },
      { event: 'b' },
    ]);
    expect(frames.every((frame) => frame.binary)).toBe(true);
  });

  test('encodes what the service emits', async () => {
    const { hosted, client, frames } = await start();
    const [connection] = [...hosted.service.connections];
    await hosted.service.emit(connection!.id, 'news', { n: 1 });
    connection!.post('more');
    await client.messages.reached(2, 'message');
    expect(frames.map(decoded)).toEqual([{ event: 'news', data: { n: 1 } }, { event: 'more' }]);
  });

  test('leaves what is sent raw as it is', async () => {
    const { hosted, client, frames } = await start();
    const [connection] = [...hosted.service.connections];
    await connection!.send('raw');
    await client.messages.reached(1, 'message');
    expect(frames).toEqual([{ data: Buffer.from('raw'), binary: false }]);
  });

  test('that drops or cannot read a frame starts no handler, and harms nobody', async () => {
    const { hosted, client } = await start();
    client.text('{"event":"echo","data":1}');
    client.socket.send(Buffer.from([0, 1, 2]));
    client.socket.send(Buffer.from([MARK, 0x7b]));
    send(client, 'echo', 2);
    await client.messages.reached(1, 'reply');
    expect(client.messages.count).toBe(1);
    expect(hosted.service.report().races).toMatchObject({
      'unreadable-message': 2,
      'unknown-event': 0,
    });
  });

  test('that throws refuses what it cannot encode, and nothing that it did not make is sent', async () => {
    const { hosted, client, frames } = await start();
    const [connection] = [...hosted.service.connections];
    expect(await connection!.emit('big', 1n)).toEqual({
      status: 'refused',
      cause: 'unserializable',
    });
    expect(connection!.post('big', 1n)).toBe(false);
    send(client, 'impossible');
    send(client, 'echo', 1);
    await client.messages.reached(1, 'reply');
    const frame = {
      event: 'exception',
      data: { status: 'error', message: 'Internal server error' },
    };
    while (frames.length < 2) await client.messages.reached(frames.length + 1, 'reply');
    expect(frames.map(decoded)).toContainEqual(frame);
    expect(hosted.service.report().races.unserializable).toBe(3);
  });

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['an object', {}],
    ['a promise', Promise.resolve('later')],
  ])('that encodes to %s is told, and the message refused', async (_name, encoded) => {
    const { hosted } = await start({ ...binary, encode: () => encoded as never });
    const [connection] = [...hosted.service.connections];
    expect(await connection!.emit('x')).toEqual({ status: 'refused', cause: 'unserializable' });
    expect(connection!.post('x')).toBe(false);
    expect(hosted.service.report().races.unserializable).toBe(2);
  });
});
