import { describe, expect, test } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { RACE_KINDS, RACE_LEVELS, type RaceKind } from '../../src/index.js';
import { RaceLogger } from '../../src/nest/race.logger.js';
import { WsClient } from '../support/clients/ws.client.js';
import { LogKeeper } from '../support/logs.js';
import { nextMacrotask } from '../support/waiting.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';

const NEST_LEVELS = { expected: 'debug', unexpected: 'warn', defect: 'error' } as const;

function logger(): { logs: LogKeeper; logger: RaceLogger; clock: { now: number } } {
  const logs = new LogKeeper();
  const clock = { now: 1_000_000 };
  return { logs, clock, logger: new RaceLogger(logs, () => clock.now) };
}

describe('The log of races', () => {
  test.each(RACE_KINDS.map((kind) => [kind, NEST_LEVELS[RACE_LEVELS[kind]]] as const))(
    '%s is logged at %s, with the id of its connection',
    (kind, level) => {
      const { logs, logger: races } = logger();
      races.race(kind, 'c-7', {});
      expect(logs.lines).toHaveLength(1);
      expect(logs.lines[0]!.level).toBe(level);
      expect(logs.lines[0]!.text).toMatch(new RegExp(`^\\[c-7\\] ${kind}( |$)`));
    },
  );

  test('A line without a connection has no empty brackets', () => {
    const { logs, logger: races } = logger();
    races.race('listener-error', '', { message: 'An observer threw.' });
    expect(logs.lines[0]!.text).toBe('listener-error An observer threw.');
  });

  test('A line at warn or error shows the error with its stack, one at debug only its kind', () => {
    const { logs, logger: races } = logger();
    const error = new Error('broken');
    races.race('hook-rejection', 'c', { message: 'A hook failed.', error });
    races.race('illegal-event', 'c', { error });
    races.race('unreadable-message', 'c', { error });
    races.race('handler-error', 'c', { error: 'a text' });
    races.race('handler-error', 'c', { error: null });
    const [warn, defect, debug, text, nothing] = logs.lines.map((line) => line.text);
    expect(warn).toContain('[c] hook-rejection A hook failed.\nError: broken');
    expect(warn).toContain('race.logger.spec');
    expect(defect).toContain('Error: broken');
    expect(debug).not.toContain('broken');
    expect(text).toContain('a text');
    expect(nothing).toContain('null');
  });

  test('Past five lines of a kind in ten seconds the rest is withheld, and told by its number', () => {
    const { logs, logger: races, clock } = logger();
    for (let n = 0; n < 100; n++) races.race('send-before-open', `c-${n}`, {});
    expect(logs.matching('warn', 'send-before-open')).toHaveLength(5);
    clock.now += 9_999;
    races.race('send-before-open', 'c-100', {});
    expect(logs.lines).toHaveLength(5);
    clock.now += 1;
    races.race('send-before-open', 'c-101', {});
    races.race('send-before-open', 'c-102', {});
    expect(logs.lines).toHaveLength(7);
    expect(logs.lines[5]!.text).toContain('[c-101]');
    expect(logs.lines[5]!.text).toContain('(and 96 more since the last line)');
    expect(logs.lines[6]!.text).not.toContain('more');
    clock.now += 10_000;
    races.race('send-before-open', 'c-103', {});
    expect(logs.lines[7]!.text).not.toContain('more');
  });

  test('A flood of one kind hides none of another', () => {
    const { logs, logger: races } = logger();
    for (let n = 0; n < 1_000; n++) races.race('unknown-event', 'c', {});
    races.race('hook-rejection', 'c', {});
    expect(logs.matching('warn', 'hook-rejection')).toHaveLength(1);
  });
});

describe('In an app', () => {
  test("lines go through Nest's Logger under the name SafeClose, and counts stay exact", async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    const socket = await hosted.get(Gateway).arrivals.at(0, 'connection accepted');
    const { id } = hosted.service.connection(socket)!;
    for (let n = 0; n < 50; n++) await hosted.service.emit(socket, 'x', 1n);
    socket.close(999, 'x'.repeat(200));
    expect(await client.closed()).toMatchObject({ code: 1011 });
    const { races } = hosted.service.report();
    expect(races.unserializable).toBe(50);
    expect(races['invalid-close-arguments']).toBe(1);
    const lines = hosted.logs.matching('warn', 'unserializable');
    expect(lines).toHaveLength(5);
    expect(lines[0]!.text).toContain(`[${id}] unserializable`);
    expect(lines[0]!.text).toContain('SafeClose');
    const [close] = hosted.logs.matching('warn', 'invalid-close-arguments');
    expect(close!.text).toContain('1011');
    expect(close!.text).toContain('3000–4999');
  });

  test('a quiet connection logs nothing', async () => {
    const Gateway = gatewayOf(Echo);
    const hosted = await host({ providers: [Gateway] });
    const client = await WsClient.connect(hosted.url());
    client.emit('echo', 1);
    await client.messages.reached(1, 'reply');
    client.close(1000);
    await hosted.get(Gateway).departures.reached(1, 'handleDisconnect called');
    expect(hosted.logs.lines.filter(({ text }) => text.includes('['))).toEqual([]);
    const met = Object.entries(hosted.service.report().races).filter(([, count]) => count > 0);
    expect(met).toEqual([]);
  });

  test('a logger that throws harms nobody, and is counted', async () => {
    class Faulty extends LogKeeper {
      override warn = (): never => {
        throw new Error('the disk is full');
      };
    }
    const Gateway = gatewayOf(Echo);
    const hosted = await host({
      providers: [Gateway],
      create: (root) => NestFactory.create(root, { logger: new Faulty(), abortOnError: false }),
    });
    hosted.service.events$.subscribe(() => {
      throw new Error('a slip in a dashboard');
    });
    const client = await WsClient.connect(hosted.url());
    const socket = await hosted.get(Gateway).arrivals.at(0, 'connection accepted');
    expect(await hosted.service.emit(socket, 'x', 1n)).toMatchObject({ status: 'refused' });
    client.emit('echo', 1);
    expect(await client.message(0)).toEqual({ event: 'echo', data: 1 });
    socket.close(999);
    expect(await client.closed()).toMatchObject({ code: 1011 });
    await nextMacrotask();
    const { races } = hosted.service.report();
    const counts: Partial<Record<RaceKind, number>> = races;
    expect(counts.unserializable).toBe(1);
    expect(counts['listener-error']).toBeGreaterThanOrEqual(3);
  });
});
