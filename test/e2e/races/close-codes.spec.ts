import { expect } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { startApp } from '../../support/app.js';
import { frame, Opcode } from '../../support/clients/frames.js';
import { RawPeer } from '../../support/clients/raw.peer.js';
import { WsClient } from '../../support/clients/ws.client.js';
import { race } from '../../support/race.js';
import { Reception } from '../../support/reception.js';
import { deferred, nextMacrotask, Tally } from '../../support/waiting.js';

@WebSocketGateway()
class Desk extends Reception {
  readonly started = new Tally();
  readonly gate = deferred();

  @SubscribeMessage('wait')
  async wait(): Promise<unknown> {
    this.started.add();
    await this.gate.promise;
    return { event: 'done' };
  }

  @SubscribeMessage('close')
  close(client: WebSocket, [code, reason]: [number, string]): void {
    client.close(code, reason);
  }
}

/** Every order of the items. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((first, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [first, ...rest]),
  );
}

/** Closes a few microtasks later, as a party does that awaits something. */
async function closeAfter(turns: number, socket: WebSocket, code: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
  socket.close(code);
}

function countsOf(codes: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

race(
  'of several closes in one tick the most severe decides, in whatever order they come',
  { guarantee: 'G4', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const seen: number[] = [];
    const orders = permutations([1000, 1001, 4001, 1008]);
    for (const [index, codes] of orders.entries()) {
      const client = await WsClient.connect(app.url());
      const socket = await app.gateway(Desk).socket(index);
      for (const code of codes) socket.close(code, `because of ${code}`);
      const { code, reason } = await client.closed();
      seen.push(code);
      expect(reason).toBe(`because of ${code}`);
    }
    expect(countsOf(seen)).toEqual({ 1008: 24 });
  },
);

for (const codes of [
  [1000, 1001],
  [1001, 4001],
  [1012, 4001],
  [4999, 1008],
  [undefined, 1000],
]) {
  race(
    `a close with ${codes[0] ?? 'no code'} gives way to a later one with ${codes[1]}`,
    { guarantee: 'G4', stock: 'fails' },
    async () => {
      const app = await startApp({ gateways: [Desk] });
      const client = await WsClient.connect(app.url());
      const socket = await app.gateway(Desk).socket();
      for (const code of codes) socket.close(code);
      expect(await client.closed()).toEqual({ code: codes[1], reason: '' });
    },
  );
}

race(
  'of closes that are equally severe the first decides',
  { guarantee: 'G4', stock: 'passes' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const client = await WsClient.connect(app.url());
    const socket = await app.gateway(Desk).socket();
    socket.close(4001, 'first');
    socket.close(4000, 'second');
    socket.close(4999, 'third');
    expect(await client.closed()).toEqual({ code: 4001, reason: 'first' });
  },
);

race(
  'the code is no lottery where parties with awaits in between close one connection',
  { guarantee: 'G4', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const codes = [1000, 4000, 4001, 1008];
    const seen: number[] = [];
    for (let round = 0; round < 20; round++) {
      const client = await WsClient.connect(app.url());
      const socket = await app.gateway(Desk).socket(round);
      await Promise.all(
        codes.map((code, index) => closeAfter(((index + round) * 7) % 5, socket, code)),
      );
      seen.push((await client.closed()).code);
    }
    expect(countsOf(seen)).toEqual({ 1008: 20 });
  },
);

race(
  'while handlers may finish, a more severe close still decides',
  { guarantee: 'G4', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk], options: { close: { handlers: 'finish' } } });
    const desk = app.gateway(Desk);
    const client = await WsClient.connect(app.url());
    const socket = await desk.socket();
    client.emit('wait');
    await desk.started.reached(1, 'handler started');
    socket.close(1001, 'restart');
    await nextMacrotask();
    await nextMacrotask();
    socket.close(1008, 'banned');
    desk.gate.resolve();
    expect(await client.closed()).toEqual({ code: 1008, reason: 'banned' });
    expect(client.events).toEqual([{ event: 'done' }]);
  },
);

race(
  'a precedence passed to close() overrides the severity of the code',
  { guarantee: 'G4', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const client = await WsClient.connect(app.url());
    const socket = await app.gateway(Desk).socket();
    socket.close(1008, 'banned');
    app.close(socket, 4001, 'moved', { precedence: 100 });
    socket.close(1011, 'broken');
    expect(await client.closed()).toEqual({ code: 4001, reason: 'moved' });
  },
);

race(
  'a handler that closes with a code that may not be sent closes with 1011, and is told which may',
  { guarantee: 'G6', stock: 'fails' },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const client = await WsClient.connect(app.url());
    client.emit('close', [999, 'no such code']);
    expect(await client.closed()).toEqual({ code: 1011, reason: 'no such code' });
    expect(app.met('invalid-close-arguments')).toBe(1);
    const [warning] = app.logs.matching('warn', 'invalid-close-arguments');
    expect(warning?.text).toContain('3000–4999');
  },
);

race(
  'a code that may not be sent gives way to any that may',
  // Up to ws 8.21.2 such a close leaves the socket in CLOSING for ever.
  { guarantee: 'G6', stock: { 11: 'fails', 12: 'passes' } },
  async () => {
    const app = await startApp({ gateways: [Desk] });
    const peer = await RawPeer.connect(app.url());
    await app.gateway(Desk).socket();
    peer.send(
      frame(Opcode.text, '{"event":"close","data":[5000,"mistaken"]}'),
      frame(Opcode.text, '{"event":"close","data":[1000,"idle"]}'),
    );
    expect(await peer.closed()).toEqual({ code: 1000, reason: 'idle' });
  },
);
