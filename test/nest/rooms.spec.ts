import { describe, expect, test } from '@jest/globals';
import type { WebSocket } from 'ws';
import type { BroadcastOutcome, SafeCloseOptions, SafeCloseService } from '../../src/index.js';
import type { SafeCloseEngine } from '../../src/nest/safe-close.engine.js';
import { SAFE_CLOSE_ENGINE } from '../../src/nest/safe-close.tokens.js';
import { WsClient } from '../support/clients/ws.client.js';
import { Echo, gatewayOf } from './gateway.js';
import { host } from './hosting.js';

interface Hall {
  readonly service: SafeCloseService;
  readonly gate: Echo;
  readonly sockets: readonly WebSocket[];
  readonly clients: readonly WsClient[];
  /** How many rooms there are. */
  readonly roomCount: () => number;
  /** More clients, once the server has them, too. */
  readonly enter: (count: number) => Promise<void>;
}

async function hall(count: number, safeClose: SafeCloseOptions = {}): Promise<Hall> {
  const Gate = gatewayOf(Echo);
  const hosted = await host({ providers: [Gate], safeClose });
  const gate = hosted.get(Gate);
  const clients: WsClient[] = [];
  const enter = async (more: number): Promise<void> => {
    for (let index = 0; index < more; index++) {
      // One by one, so that the n-th client has the n-th socket.
      // oxlint-disable-next-line no-await-in-loop
      clients.push(await WsClient.connect(hosted.url()));
      // oxlint-disable-next-line no-await-in-loop
      await gate.arrivals.reached(clients.length, 'arrival');
    }
  };
  await enter(count);
  return {
    service: hosted.service,
    gate,
    sockets: gate.arrivals.all,
    clients,
    roomCount: () => hosted.app.get<SafeCloseEngine>(SAFE_CLOSE_ENGINE).runtime.rooms.size,
    enter,
  };
}

/** A hall whose clients are all in one room. */
async function room(count: number, options?: SafeCloseOptions): Promise<Hall> {
  const full = await hall(count, options);
  for (const socket of full.sockets) full.service.join(socket, 'room');
  return full;
}

function sumOf({ written, refused, dropped, lost }: BroadcastOutcome): number {
  return Object.values(refused).reduce((sum, count) => sum + count, written + dropped + lost);
}

/** Calls back once, however often it is asked. */
function once(callback: () => void): () => true {
  let called = false;
  return () => {
    if (!called) callback();
    called = true;
    return true;
  };
}

function slip(): never {
  throw new Error('a slip');
}

describe.each(['enforce', 'observe'] as const)('a broadcast in mode %s', (mode) => {
  test('is text, as what emit() sends, and goes to the room but for those excepted', async () => {
    const { service, sockets, clients } = await room(3, { mode });
    const binary: boolean[] = [];
    clients[0]!.socket.on('message', (_data: Buffer, isBinary: boolean) => binary.push(isBinary));
    service.leave(sockets[1]!, 'room');
    const outcome = await service.broadcast({ room: 'room', except: sockets[2]! }, 'news', 1);
    expect(outcome).toMatchObject({ targets: 1, written: 1 });
    await service.emit(sockets[0]!, 'news', 1);
    await clients[0]!.messages.reached(2, 'news');
    expect(clients[0]!.messages.all).toEqual(Array(2).fill('{"event":"news","data":1}'));
    expect(binary).toEqual([false, false]);
    expect([clients[1]!.messages.count, clients[2]!.messages.count]).toEqual([0, 0]);
  });

  test('that has no form is sent to nobody, and told once', async () => {
    const { service, clients } = await room(3, { mode });
    const outcome = await service.broadcast({ room: 'room' }, 'news', 1n);
    expect(outcome).toMatchObject({ targets: 3, written: 0, refused: { unserializable: 3 } });
    expect(service.report().races.unserializable).toBe(1);
    await service.broadcast({ room: 'room' }, 'after');
    expect(await clients[0]!.message(0)).toEqual({ event: 'after' });
  });

  test('counts those that leave before it reaches them as refused', async () => {
    const { service, sockets } = await room(4, { mode });
    const leave = once(() => void service.terminate(sockets[3]!));
    const outcome = await service.broadcast({ room: 'room', where: leave }, 'news');
    expect(outcome).toMatchObject({ targets: 4, written: 3 });
    expect(sumOf(outcome)).toBe(4);
  });
});

describe('the targets of a broadcast', () => {
  test('are those of the moment of the call, whatever where does to the others', async () => {
    const { service, sockets } = await hall(4);
    for (const socket of sockets.slice(0, 3)) service.join(socket, 'room');
    const where = once(() => {
      service.leave(sockets[1]!, 'room');
      void service.connection(sockets[1]!)!.identify('bob');
      void service.close(sockets[2]!);
      service.join(sockets[3]!, 'room');
    });
    const outcome = await service.broadcast({ room: 'room', where }, 'news');
    expect(outcome).toMatchObject({ targets: 3, written: 3 });
  });

  test('of an identity are not changed by where, either', async () => {
    const { service, sockets } = await hall(2);
    for (const socket of sockets) void service.connection(socket)!.identify('ann');
    const where = once(() => void service.connection(sockets[1]!)!.identify('bob'));
    expect((await service.broadcast({ identity: 'ann', where }, 'news')).targets).toBe(2);
    expect((await service.broadcast({ identity: 'ann' }, 'news')).targets).toBe(1);
  });

  test('are not those that are closing, though closeWhere names them, too', async () => {
    const { service, sockets } = await room(2);
    const closed = service.close(sockets[0]!, 4000);
    const all = service.closeWhere({ room: 'room' }, 4001);
    expect((await service.broadcast({ room: 'room' }, 'news')).targets).toBe(0);
    expect((await all).targets).toBe(2);
    expect((await closed).requests).toHaveLength(2);
  });

  test('are nobody where the target, or its where, throws, and that is told', async () => {
    const { service } = await room(2);
    const nobody: object[] = [
      { where: slip },
      {
        get room(): string {
          return slip();
        },
      },
    ];
    for (const target of nobody) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await service.broadcast(target, 'news')).targets).toBe(0);
      // oxlint-disable-next-line no-await-in-loop
      expect((await service.closeWhere(target)).targets).toBe(0);
    }
    // For each of two connections by each of two calls, and once by each of two.
    expect(service.report().races['listener-error']).toBe(6);
  });
});

describe('the rooms of a client', () => {
  test('can only be read: what is done to them leaves nothing behind', async () => {
    const { service, sockets, clients, gate, roomCount } = await room(1);
    const rooms = service.rooms(sockets[0]!) as Set<string>;
    expect(() => rooms.clear()).toThrow('use join() and leave()');
    expect([...rooms]).toEqual(['room']);
    clients[0]!.close();
    await gate.departures.reached(1, 'departure');
    expect(roomCount()).toBe(0);
    service.leave(sockets[0]!, 'room');
    expect([...rooms]).toEqual(['room']);
  });

  test('are left by a thousand that end, and nothing of them stays', async () => {
    const { service, sockets, clients, gate, roomCount, enter } = await hall(0);
    for (let round = 1; round <= 10; round++) {
      // oxlint-disable-next-line no-await-in-loop
      await enter(100);
      for (const [seat, socket] of sockets.slice(-100).entries()) {
        service.join(socket, 'hall', `seat ${seat}`, `round ${round}`);
      }
      expect(roomCount()).toBe(102);
      for (const [seat, client] of clients.slice(-100).entries()) {
        if (seat % 2 === 0) client.close();
        else client.socket.terminate();
      }
      // oxlint-disable-next-line no-await-in-loop
      await gate.departures.reached(round * 100, 'departure');
      expect(roomCount()).toBe(0);
    }
  });
});
