import { beforeEach, expect, test } from '@jest/globals';
import { BroadcastTally, LONGEST_RUN } from '../../src/runtime/broadcast-tally.js';
import { BufferBudget } from '../../src/runtime/buffer-budget.js';
import { SharedLane } from '../../src/runtime/shared-lane.js';
import { SharedMessage } from '../../src/runtime/socket.port.js';

const FRAME = Buffer.from('a frame');

let budget: BufferBudget;
let lane: SharedLane;
let sink: { tick: number; frames: Buffer[]; addShared: (frame: Buffer) => void };
let first: BroadcastTally;

function messageOf(bytes: number): SharedMessage {
  const message = new SharedMessage(Buffer.alloc(bytes), true);
  message.frame = FRAME;
  return message;
}

beforeEach(() => {
  budget = new BufferBudget(1_000_000);
  lane = new SharedLane(budget);
  const frames: Buffer[] = [];
  sink = { tick: 7, frames, addShared: (frame) => void frames.push(frame) };
  first = new BroadcastTally(1);
});

test('what goes by it is counted, held against the budget, and taken in as one run', () => {
  const second = new BroadcastTally(1);
  const third = new BroadcastTally(1);
  lane.open(sink, first.behind(undefined), 100);
  expect(lane.take(messageOf(60), second)).toBe(true);
  expect(lane.take(messageOf(40), third)).toBe(true);
  expect(sink.frames).toEqual([FRAME, FRAME]);
  expect([lane.messages, lane.bytes, budget.used]).toEqual([2, 100, 100]);
  lane.takeIn().add({ status: 'written' });
  expect([first, second, third].map(({ written }) => written)).toEqual([1, 1, 1]);
  expect([lane.messages, lane.bytes]).toEqual([0, 0]);
  expect(lane.take(messageOf(0), third)).toBe(false);
});

test('nothing goes by one that was not opened, or was closed', () => {
  expect(lane.take(messageOf(1), first)).toBe(false);
  lane.open(sink, first.behind(undefined), 100);
  lane.close();
  expect(lane.take(messageOf(1), first)).toBe(false);
  expect(sink.frames).toEqual([]);
});

test('it takes no more than there is room for', () => {
  lane.open(sink, first.behind(undefined), 100);
  expect(lane.take(messageOf(101), first)).toBe(false);
  expect(lane.take(messageOf(100), first)).toBe(true);
  expect(lane.take(messageOf(1), first)).toBe(false);
});

test('it ends with the tick in which it was opened', () => {
  lane.open(sink, first.behind(undefined), 100);
  sink.tick++;
  expect(lane.take(messageOf(1), first)).toBe(false);
});

test('a message whose frame is yet to be made takes the long way', () => {
  lane.open(sink, first.behind(undefined), 100);
  expect(lane.take(new SharedMessage(Buffer.alloc(1), true), first)).toBe(false);
});

test('a run gets no longer than one may be', () => {
  lane.open(sink, first.behind(undefined), 1_000_000);
  let taken = 0;
  while (lane.take(messageOf(1), new BroadcastTally(1))) taken++;
  expect(taken).toBe(LONGEST_RUN - 1);
});

test('once it is closed it holds on to no broadcast that went by, and so to nobody who got it', () => {
  const second = new BroadcastTally(1);
  lane.open(sink, first.behind(undefined), 100);
  lane.take(messageOf(1), second);
  lane.close();
  expect(lane.takeIn()).toBe(second.behind(first.behind(undefined)));
  lane.open(sink, first.behind(undefined), 100);
  lane.close();
  expect(lane.takeIn()).toBeUndefined();
});
