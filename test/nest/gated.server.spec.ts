import { describe, expect, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { Tally } from '../support/waiting.js';
import { knock, serve, SHARED, statusOf } from './upgrades.js';

describe('verifyClient of ws', () => {
  type Decide = (verified: boolean, status?: number, message?: string) => void;

  test('still decides after the gate, with what it gives', async () => {
    const served = await serve(
      SHARED,
      {},
      {
        verifyClient: ({ req }: { req: IncomingMessage }, decide: Decide) =>
          decide(req.url === '/?yes', 418, 'no tea'),
      },
    );
    expect(await statusOf(`${served.at}?yes`)).toBe(101);
    expect(await knock(served.at).answer).toMatchObject({ status: 418, body: 'no tea' });
  });

  test('that was still thinking when a drain began accepts nobody', async () => {
    const thinking = new Tally<Decide>();
    const served = await serve(
      SHARED,
      {},
      { verifyClient: (_info: unknown, decide: Decide) => thinking.add(decide) },
    );
    const { answer } = knock(served.at);
    const decide = await thinking.at(0, 'upgrade verified');
    await served.service.drain();
    decide(true);
    const { status, headers } = await answer;
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('5');
    expect(served.service.report().connections.opened).toBe(0);
    expect(served.service.report().races['upgrade-refused']).toBe(1);
  });
});
