import { beforeEach, describe, expect, test } from '@jest/globals';
import { BroadcastTally, LONGEST_RUN } from '../../src/runtime/broadcast-tally.js';
import { BufferBudget } from '../../src/runtime/buffer-budget.js';
import { SharedLane } from '../../src/runtime/shared-lane.js';
import { SharedMessage, type Handover, type SharedSink } from '../../src/runtime/socket.port.js';

const FRAME = Buffer.from('a frame');

let budget: BufferBudget;
let lane: SharedLane;
let sink: { -readonly [key in keyof SharedSink]: SharedSink[key] };
let frames: Buffer[];
let first: BroadcastTally;

function messageOf(bytes: number): SharedMessage {
  const message = new SharedMessage(Buffer.alloc(bytes), true);
  message.frame = FRAME;
  return message;
}

beforeEach(() => {
  budget = new BufferBudget(1_000_000);
  lane = new SharedLane(budget);
  frames = [];
  const addShared = (frame: Buffer): Handover => {
    frames.push(frame);
    return 'pending';
  };
  sink = { tick: 7, lone: false, addShared };
  first = new BroadcastTally(1);
});

test('what goes by it is counted, held against the budget, and taken in as one run', () => {
  const second = new BroadcastTally(1);
  const third = new BroadcastTally(1);
  lane.open(sink, first.behind(undefined), 100);
  expect(lane.take(messageOf(60), second)).toBe(true);
  expect(lane.take(messageOf(40), third)).toBe(true);
  expect(frames).toEqual([FRAME, FRAME]);
  expect([lane.messages, lane.bytes, budget.used]).toEqual([2, 100, 100]);
  lane.takeIn()!.add({ status: 'written' });
  expect([first, second, third].map(({ written }) => written)).toEqual([1, 1, 1]);
  expect([lane.messages, lane.bytes]).toEqual([0, 0]);
  expect(lane.take(messageOf(0), third)).toBe(false);
});

test('nothing goes by one that was not opened, or was closed', () => {
  expect(lane.take(messageOf(1), first)).toBe(false);
  lane.open(sink, first.behind(undefined), 100);
  lane.close();
  expect(lane.take(messageOf(1), first)).toBe(false);
  expect(frames).toEqual([]);
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

describe('behind one that the kernel took at once', () => {
  let handover: Handover;
  beforeEach(() => {
    handover = 'taken';
    sink.lone = true;
    sink.addShared = () => {
      if (handover === 'taken') sink.tick++;
      else sink.lone = false;
      return handover;
    };
    lane.open(sink, undefined, 100);
  });

  test('others of any tick go by it, and are counted as they are taken', () => {
    for (const bytes of [10, 20, 30]) expect(lane.take(messageOf(bytes), first)).toBe(true);
    expect(first.written).toBe(3);
    expect([lane.messages, lane.taken, lane.bytes]).toEqual([3, 3, 60]);
    expect([lane.pendingBytes, budget.used]).toEqual([0, 0]);
    expect(lane.takeIn()).toBeUndefined();
    expect([lane.messages, lane.taken, lane.bytes]).toEqual([0, 0, 0]);
  });

  test('one that a stream of the app throws at takes the long way, which knows what to do', () => {
    sink.addShared = () => {
      throw new Error('of the stream');
    };
    expect(lane.take(messageOf(1), first)).toBe(false);
    expect([lane.messages, lane.bytes, first.written]).toEqual([0, 0, 0]);
  });

  test('none goes by it that would not be taken, nor past its room', () => {
    expect(lane.take(messageOf(101), first)).toBe(false);
    sink.lone = false;
    expect(lane.take(messageOf(1), first)).toBe(false);
    expect(lane.messages).toBe(0);
  });

  test('one that the kernel does not take after all is followed by others of its tick', () => {
    const tallies = [1, 2, 3].map(() => new BroadcastTally(2));
    lane.take(messageOf(10), tallies[0]!);
    handover = 'pending';
    lane.take(messageOf(20), tallies[1]!);
    expect(lane.take(messageOf(30), tallies[2]!)).toBe(true);
    expect([lane.messages, lane.taken, lane.bytes, lane.pendingBytes]).toEqual([3, 1, 60, 50]);
    expect(budget.used).toBe(50);
    sink.tick++;
    sink.lone = true;
    expect(lane.take(messageOf(1), tallies[0]!)).toBe(false);
    lane.takeIn()!.add({ status: 'written' });
    expect(tallies.map(({ written }) => written)).toEqual([1, 1, 1]);
    expect(lane.pendingBytes).toBe(0);
  });
});
