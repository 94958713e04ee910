import { describe, expect, test } from '@jest/globals';
import { SubscribeMessage } from '@nestjs/websockets';
import {
  concatMap,
  filter,
  firstValueFrom,
  map,
  of,
  share,
  Subject,
  tap,
  type Observable,
  type Subscription,
} from 'rxjs';
import type { WebSocket } from 'ws';
import type { LifecycleEvent } from '../../src/index.js';
import { WsClient } from '../support/clients/ws.client.js';
import { nextMacrotask, Tally, within } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host, type Hosted } from './hosting.js';

class Chatty extends Echo {
  @SubscribeMessage('close')
  close(client: WebSocket): unknown {
    client.close(4000, 'bye');
    client.close(1011);
    return { event: 'closing' };
  }
}

async function start(): Promise<{ hosted: Hosted; events: Tally<LifecycleEvent> }> {
  const hosted = await host({ providers: [gatewayOf(Chatty)] });
  const events = new Tally<LifecycleEvent>();
  hosted.service.events$.subscribe((event) => events.add(event));
  return { hosted, events };
}

/** Opens a connection and has it closed; five events, two of them races. */
async function openAndClose(hosted: Hosted): Promise<void> {
  const client = await WsClient.connect(hosted.url());
  client.emit('close');
  expect(await client.closed()).toMatchObject({ code: 1011 });
}

function shapeOf(event: LifecycleEvent): string {
  return event.type === 'race' ? `race ${event.kind}` : event.type;
}

describe('events$', () => {
  test('tells the life of a connection in order, with its id and time', async () => {
    const { hosted, events } = await start();
    const from = Date.now();
    await openAndClose(hosted);
    await events.reached(6, 'event');
    expect(events.all.map(shapeOf)).toEqual([
      'opened',
      'ready',
      'closing',
      'race concurrent-close',
      'race superseded-code',
      'closed',
    ]);
    const [first] = events.all;
    for (const event of events.all) {
      expect(event.connectionId).toBe(first!.connectionId);
      expect(event.at).toBeGreaterThanOrEqual(from);
      expect(event.at).toBeLessThanOrEqual(Date.now());
    }
    const last = events.all.at(-1)!;
    expect(last).toMatchObject({
      outcome: { connectionId: first!.connectionId, code: 1011, initiator: 'server' },
    });
  });

  test('tells subscribers of what happens after they have subscribed, until they leave', async () => {
    const { hosted } = await start();
    await openAndClose(hosted);
    const seen = new Tally<string>();
    const subscription = hosted.service.events$.subscribe((event) => seen.add(shapeOf(event)));
    await openAndClose(hosted);
    await seen.reached(6, 'event');
    subscription.unsubscribe();
    await openAndClose(hosted);
    await nextMacrotask();
    expect(seen.count).toBe(6);
  });

  test('never completes and never errors by itself', async () => {
    const { hosted } = await start();
    const ends: string[] = [];
    hosted.service.events$.subscribe({
      error: () => ends.push('error'),
      complete: () => ends.push('complete'),
    });
    await openAndClose(hosted);
    await hosted.app.close();
    expect(ends).toEqual([]);
  });

  test('may be subscribed to, and left, from within a subscriber', async () => {
    const { hosted, events } = await start();
    const inner = new Tally<string>();
    const outer: Subscription = hosted.service.events$.subscribe(() => {
      outer.unsubscribe();
      hosted.service.events$.subscribe((event) => inner.add(shapeOf(event)));
    });
    await openAndClose(hosted);
    await events.reached(6, 'event');
    expect(inner.all.filter((shape) => shape === 'closed')).toEqual(['closed']);
  });

  test('lets a subscriber close the connection that it is told of', async () => {
    const { hosted } = await start();
    hosted.service.events$
      .pipe(filter((event) => event.type === 'ready'))
      .subscribe(({ connectionId }) => void hosted.service.close(connectionId, 4444));
    const client = await WsClient.connect(hosted.url());
    expect(await client.closed()).toMatchObject({ code: 4444 });
    expect(hosted.service.report().races['illegal-event']).toBe(0);
  });

  test('works with the operators of rxjs', async () => {
    const { hosted } = await start();
    const first = firstValueFrom(
      hosted.service.events$.pipe(
        filter((event) => event.type === 'closed'),
        map(({ outcome }) => outcome.code),
      ),
    );
    await openAndClose(hosted);
    expect(await within(first, 'an event')).toBe(1011);
  });
});

const fail = (): never => {
  throw new Error('a slip in a dashboard');
};

/** Typed as what rxjs expects, which lets an async function pass in an app, too. */
const failLater = (async () => {
  await Promise.resolve();
  fail();
}) as () => void;

describe('A faulty subscriber of events$ harms nobody, and is told', () => {
  type Events = Observable<LifecycleEvent>;
  const subscribers: [string, (events: Events) => unknown][] = [
    ['a function', (events) => events.subscribe(fail)],
    ['an observer', (events) => events.subscribe({ next: fail })],
    [
      'an observer with its own error handler',
      (events) => events.subscribe({ next: fail, error: fail }),
    ],
    ['an async function', (events) => events.subscribe(failLater)],
    ['an async observer', (events) => events.subscribe({ next: failLater })],
    ['a function behind pipe()', (events) => events.pipe(map(String)).subscribe(fail)],
    [
      'a function behind several operators',
      (events) => events.pipe(filter(Boolean), map(String), tap(String)).subscribe(fail),
    ],
    ['a function behind share()', (events) => events.pipe(share()).subscribe(fail)],
    ['an operator', (events) => events.pipe(map(fail)).subscribe()],
    [
      'an operator before others',
      (events) => events.pipe(map(fail), map(String)).subscribe(() => {}),
    ],
    [
      'an operator of an inner Observable',
      (events) => events.pipe(concatMap(() => of(1).pipe(map(fail)))).subscribe(),
    ],
    [
      'an operator, and the handler of its error',
      (events) => events.pipe(map(fail)).subscribe({ error: fail }),
    ],
    ['forEach()', (events) => events.forEach(fail).catch(() => {})],
  ];

  test.each(subscribers)('%s', async (name, subscribe) => {
    const { hosted, events } = await start();
    subscribe(hosted.service.events$);
    hosted.service.events$.subscribe((event) => events.add(event));
    await openAndClose(hosted);
    await events.reached(12, 'event');
    await nextMacrotask();
    await nextMacrotask();
    const told = hosted.service.report().races['listener-error'];
    if (name === 'forEach()') {
      // Its promise tells whoever called it.
      expect(told).toBe(0);
    } else {
      expect(told).toBeGreaterThanOrEqual(1);
      const [line] = hosted.logs.matching('warn', 'listener-error');
      expect(line?.text).toContain('A subscriber of events$');
      expect(line?.text).toContain('a slip in a dashboard');
    }
  });

  test('A Subject passes events on', async () => {
    const { hosted } = await start();
    const subject = new Subject<LifecycleEvent>();
    const seen = new Tally<string>();
    subject.subscribe((event) => seen.add(shapeOf(event)));
    hosted.service.events$.subscribe(subject);
    await openAndClose(hosted);
    await seen.reached(6, 'event');
    expect(seen.all[0]).toBe('opened');
  });

  test('An error handler of the app is told of an operator that fails', async () => {
    const { hosted } = await start();
    const errors: unknown[] = [];
    hosted.service.events$.pipe(map(fail)).subscribe({ error: (error) => errors.push(error) });
    await openAndClose(hosted);
    expect(errors).toEqual([new Error('a slip in a dashboard')]);
    expect(hosted.service.report().races['listener-error']).toBe(0);
  });
});
