import { EVENTS, macrotaskEnded, settleTimeout } from './scenario.events.js';
import type { Core } from './core.parts.js';
import type { Moves, Take } from './moves.types.js';
import type { Turn } from './turn.record.js';
import { isLive, isMessage, type World } from './world.state.js';

const isOver = ({ machine }: World): boolean => machine.phase === 'closed';

/** What application code may do at any moment, even between two handlers that are started. */
const callMoves: Moves = (world, take) => {
  world.scenario.closers.forEach((closer, index) => {
    if ((world.closersLeft & (1 << index)) === 0) return;
    const { code, precedence, handlers } = closer.request;
    take('choice', `somebody closes: ${code}, severity ${precedence}, ${handlers}`, (turn) => {
      turn.after.closersLeft -= 1 << index;
      turn.close(closer);
    });
  });
  if (world.terminatesLeft > 0) {
    take('choice', 'somebody terminates', (turn) => {
      turn.after.terminatesLeft--;
      turn.report(EVENTS.terminateRequested);
    });
  }
  if (world.pushesLeft > 0) {
    take('choice', 'a service sends', (turn) => {
      turn.send('push');
      if (turn.attempt?.accepted || turn.attempt?.waits) turn.after.pushesLeft--;
    });
    const newest = world.queued.length - 1;
    if (world.scenario.conflates && isMessage(world.queued[newest] ?? '')) {
      take('choice', 'a service sends what takes the place of the newest', (turn) => {
        const { accepts } = turn.core.facts[turn.after.machine.phase];
        if (accepts) turn.drop(newest);
        turn.send('push');
        if (turn.attempt?.accepted) turn.after.pushesLeft--;
      });
    }
  }
  if (world.scenario.overflow === 'close' && !isLive(world)) {
    take('choice', 'a send that came before something else is told to be too much', (turn) => {
      turn.report(EVENTS.overflowed);
    });
  }
  if (world.pingsLeft > 0 && isLive(world)) {
    take('choice', 'a ping is sent', (turn) => {
      turn.after.pingsLeft--;
      if (world.queued === '') turn.after.stream += 'p';
      else turn.after.queued += 'p';
    });
  }
};

function endHandler(turn: Turn): void {
  const world = turn.after;
  world.running--;
  if (world.running === 0 && !isLive(world)) turn.report(EVENTS.handlersSettled);
  // Where handlers run one at a time, the next one starts now.
  world.dispatching = world.waiting > 0 && world.machine.phase === 'open';
}

const handlerMoves: Moves = (world, take) => {
  if (world.hook === 'awaited' || world.hook === 'unawaited') {
    take('choice', 'handleConnection rejects', (turn) => {
      turn.after.hook = 'rejected';
      turn.report(EVENTS.rejected);
    });
  }
  if (world.hook === 'awaited') {
    take('choice', 'handleConnection settles', (turn) => {
      turn.after.hook = 'ready';
      turn.report(EVENTS.ready);
    });
  }
  if (world.running === 0) return;
  take('handler', 'a handler ends without a reply', endHandler);
  if (isOver(world)) return;
  take('choice', 'a handler replies and ends', (turn) => {
    turn.send('reply');
    endHandler(turn);
  });
};

const macrotaskMoves: Moves = (world, take) => {
  if (world.awaited === 0 && !world.grace) return;
  take('macrotask', 'the macrotask ends', (turn) => {
    turn.after.grace = false;
    if (turn.before.awaited === 0) return;
    turn.after.awaited--;
    turn.report(macrotaskEnded(turn.after.running > 0, turn.unwritten));
  });
};

/** Every timer that is armed may fire now. */
export function timerMoves(world: World, { facts }: Core, take: Take): void {
  const { timer, capped } = facts[world.machine.phase];
  const fire = (kind: 'timer' | 'cap', name: string, act: (turn: Turn) => void): void =>
    take(kind, `the ${name} timer fires`, (turn) => {
      turn.after.grace = false;
      act(turn);
    });
  if (capped) fire('cap', 'cap', (turn) => turn.report(EVENTS.deadline));
  if (timer === 'ready') fire('timer', timer, (turn) => turn.report(EVENTS.readyTimeout));
  if (world.scenario.peer.silent && isLive(world)) {
    fire('timer', 'heartbeat', (turn) => turn.report(EVENTS.peerLost));
  }
  if (timer === 'settle')
    fire('timer', timer, (turn) => turn.report(settleTimeout(turn.unwritten)));
  if (timer === 'flush') fire('timer', timer, (turn) => turn.report(EVENTS.flushTimeout));
  if (timer === 'handshake') fire('timer', timer, (turn) => turn.report(EVENTS.handshakeTimeout));
}

/** The handlers of messages that waited start one after the other, within one macrotask. */
const dispatchMoves: Moves = (_world, take) => {
  take('handler', 'the handler of a message that waited starts', (turn) => {
    turn.after.waiting--;
    turn.after.dispatching = turn.after.waiting > 0 && !turn.before.scenario.serial;
    turn.start('waiting');
  });
};

export function serverMoves(world: World, take: Take): void {
  callMoves(world, take);
  if (world.dispatching) {
    dispatchMoves(world, take);
    return;
  }
  handlerMoves(world, take);
  macrotaskMoves(world, take);
}
