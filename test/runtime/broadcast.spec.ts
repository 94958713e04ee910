import { expect, test } from '@jest/globals';
import { REFUSAL_CAUSES, type SendOutcome } from '../../src/core/outcomes.js';
import { broadcast, refusedBroadcast } from '../../src/runtime/broadcast.js';
import type { BroadcastTally } from '../../src/runtime/broadcast-tally.js';
import type { SendRequest, Settle } from '../../src/runtime/send-request.js';
import type { MessageData } from '../../src/runtime/socket.port.js';
import { SharedMessage } from '../../src/runtime/socket.port.js';

class Target {
  sent: { data: MessageData; request: SendRequest | undefined } | undefined;
  settle: Settle | undefined;

  submit(data: MessageData, request?: SendRequest, settle?: Settle): boolean {
    this.sent = { data, request };
    this.settle = settle;
    return true;
  }
}

const targets = (count: number): Target[] => Array.from({ length: count }, () => new Target());
const NOT_REFUSED = Object.fromEntries(REFUSAL_CAUSES.map((cause) => [cause, 0]));

test('one frame goes to all, and each counts by what became of it', async () => {
  const outcomes: SendOutcome[] = [
    { status: 'written' },
    { status: 'acknowledged' },
    { status: 'refused', cause: 'closing' },
    { status: 'dropped', cause: 'overflow' },
    { status: 'lost', cause: 'network', sent: 'no' },
  ];
  const all = targets(outcomes.length);
  const outcome = broadcast(all, 'frame', { conflate: 'key' });
  expect(new Set(all.map(({ sent }) => sent!.data)).size).toBe(1);
  expect(all[0]!.sent).toEqual({
    data: Buffer.from('frame'),
    request: {
      binary: false,
      conflate: 'key',
      shared: new SharedMessage(Buffer.from('frame'), false),
    },
  });
  for (const [index, settled] of outcomes.entries()) all[index]!.settle!(settled);
  expect(await outcome).toEqual({
    targets: 5,
    written: 2,
    refused: { ...NOT_REFUSED, closing: 1 },
    dropped: 1,
    lost: 1,
  });
});

test('a Buffer stays one, as a binary frame', () => {
  const [one] = targets(1);
  void broadcast([one!], Buffer.from('frame'));
  expect(one!.sent).toEqual({ data: Buffer.from('frame'), request: { binary: true } });
});

test('to nobody is over at once, and so is one that nothing was sent of', async () => {
  const nobody = { targets: 0, written: 0, refused: NOT_REFUSED, dropped: 0, lost: 0 };
  expect(await broadcast([], 'frame')).toEqual(nobody);
  expect(refusedBroadcast(3, 'unserializable')).toEqual({
    ...nobody,
    targets: 3,
    refused: { ...NOT_REFUSED, unserializable: 3 },
  });
});

test('who can share it takes it without a copy of its own, and all others as any message', async () => {
  const all = targets(1);
  let shared: [SharedMessage, BroadcastTally] | undefined;
  const refusing = { submit: refuse };
  let copies = 0;
  const sharing = {
    submit: () => ++copies > 0,
    submitShared: (message: SharedMessage, tally: BroadcastTally) => {
      shared = [message, tally];
      return true;
    },
  };
  const outcome = broadcast([sharing, all[0]!, refusing], 'frame');
  const [message, tally] = shared!;
  expect(copies).toBe(0);
  expect(message.data).toBe(all[0]!.sent!.data);
  expect(message.binary).toBe(false);
  tally.add({ status: 'written' });
  all[0]!.settle!({ status: 'written' });
  expect(await outcome).toMatchObject({ targets: 3, written: 2, refused: { closing: 1 } });
});

function refuse(_data: MessageData, _request?: SendRequest, settle?: Settle): boolean {
  settle?.({ status: 'refused', cause: 'closing' });
  return false;
}
