import { describe, expect, test } from '@jest/globals';
import { SubscribeMessage } from '@nestjs/websockets';
import { closeFrame, frame, Opcode } from '../support/clients/frames.js';
import { RawPeer } from '../support/clients/raw.peer.js';
import { deferred, Tally } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';

const MESSAGES = 1_000;
const INDICES = Array.from({ length: MESSAGES }, (_, index) => index);

/** One packet, which the server gets by one read. */
const BURST = Buffer.concat(
  INDICES.map((data) => frame(Opcode.text, JSON.stringify({ event: 'work', data }))),
);

class Worker extends Echo {
  readonly started = new Tally<unknown>();
  gate: Promise<unknown> = Promise.resolve();

  @SubscribeMessage('work')
  async work(_client: unknown, data: unknown): Promise<unknown> {
    this.started.add(data);
    await this.gate;
    return { event: 'done', data };
  }
}

async function working() {
  const Gateway = gatewayOf(Worker);
  const hosted = await host({ providers: [Gateway] });
  const peer = await RawPeer.connect(hosted.url());
  const worker = hosted.get(Gateway);
  await worker.arrivals.reached(1, 'arrival');
  return { hosted, peer, worker };
}

describe('A thousand messages of one read', () => {
  test('are handled and answered in their order', async () => {
    const { peer, worker } = await working();
    peer.send(BURST);
    await peer.messages.reached(MESSAGES, 'reply');
    expect(worker.started.all).toEqual(INDICES);
    expect(peer.messages.all.map((text) => (JSON.parse(text) as { data: number }).data)).toEqual(
      INDICES,
    );
  });

  test('are all handled where none of them ends before the others have begun', async () => {
    const { peer, worker } = await working();
    const gate = deferred();
    worker.gate = gate.promise;
    peer.send(BURST);
    await worker.started.reached(MESSAGES, 'start');
    gate.resolve();
    await peer.messages.reached(MESSAGES, 'reply');
    expect(worker.started.all).toEqual(INDICES);
  });

  test.each(['a close frame', 'the end of its side'])(
    'are all handled with %s behind',
    async (end) => {
      const { hosted, peer, worker } = await working();
      worker.gate = new Promise(() => {});
      if (end === 'a close frame') {
        peer.send(BURST, closeFrame(1000));
      } else {
        peer.send(BURST);
        peer.halfClose();
      }
      await worker.started.reached(MESSAGES, 'start');
      expect(worker.started.all).toEqual(INDICES);
      await peer.ended();
      expect(hosted.service.report().races['message-after-close']).toBe(0);
    },
  );
});
