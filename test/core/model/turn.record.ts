import type { ConnectionContext, Initiator } from '../../../src/core/connection.context.js';
import type { Effect } from '../../../src/core/connection.effects.js';
import type { ConnectionEvent, EventOf, EventType } from '../../../src/core/connection.events.js';
import type { RefusalCause } from '../../../src/core/outcomes.js';
import type { Admission, BufferState } from '../../../src/core/overflow.js';
import type { Core } from './core.parts.js';
import { EVENTS } from './scenario.events.js';
import { isLive, isUnwritten, messagesIn, type World } from './world.state.js';

/** One event that the machine took. */
export interface Happening {
  readonly event: ConnectionEvent;
  readonly from: ConnectionContext;
  readonly to: ConnectionContext;
  readonly effects: readonly Effect[];
  /** As the effects found them. */
  readonly wasAborted: boolean;
  readonly wasRunning: number;
}

/** One attempt to send. */
export interface Attempt {
  readonly by: 'push' | 'reply';
  readonly accepted: boolean;
  /** It is accepted, or refused, later. */
  readonly waits: boolean;
  readonly cause: RefusalCause | undefined;
}

const BEGINNERS: Partial<Record<EventType, Initiator>> = {
  closeRequested: 'server',
  rejected: 'server',
  overflowed: 'server',
  readyTimeout: 'server',
  protocolFailed: 'server',
  terminateRequested: 'server',
  peerClosed: 'peer',
  peerEnded: 'network',
  peerLost: 'network',
  socketClosed: 'network',
};

function asksToAbort(event: ConnectionEvent, live: boolean): boolean {
  switch (event.type) {
    case 'closeRequested':
      return event.request.handlers === 'abort';
    // A hook that fails after closing has begun may fail because of it.
    case 'rejected':
    case 'overflowed':
      return live;
    default:
      return event.type in BEGINNERS;
  }
}

/**
 * One thing that happens: what was before, what is after, and what was seen on the way. It
 * performs the effects as the runtime does.
 */
export class Turn {
  readonly happenings: Happening[] = [];
  readonly after: World;
  attempt: Attempt | undefined;
  /** A message that starts a handler, and whether it had waited. */
  started: 'waiting' | 'new' | undefined;

  constructor(
    readonly core: Core,
    readonly label: string,
    readonly before: World,
  ) {
    this.after = { ...before };
  }

  report(event: ConnectionEvent): void {
    const world = this.after;
    const from = world.machine;
    const live = isLive(world);
    const { context: to, effects } = this.core.transition(from, event);
    world.machine = to;
    // Whoever waits for room is let in as closing begins, or told that there will be none.
    if (!this.core.facts[to.phase].accepts) world.room = 0;
    else if (!isLive(world)) for (; world.room > 0; world.room--) this.accept();
    if (from.phase !== 'closed') {
      world.began ??= BEGINNERS[event.type];
      world.mustAbort ||= asksToAbort(event, live);
    }
    if (!world.destroyed) {
      world.peerCloseRead ||= event.type === 'peerClosed';
      world.peerFailed ||= event.type === 'protocolFailed' && !world.ended;
      world.peerEndedFirst ||= event.type === 'peerEnded' && !world.ended;
    }
    this.happenings.push({
      event,
      from,
      to,
      effects,
      wasAborted: world.aborted,
      wasRunning: world.running,
    });
    for (const effect of effects) this.#perform(effect, event);
  }

  /** A party closes; what it sends in the same macrotask is still to be sent. */
  close(event: EventOf<'closeRequested'>): void {
    this.after.grace ||= this.core.facts[this.after.machine.phase].accepts;
    this.report(event);
  }

  send(by: Attempt['by']): void {
    const world = this.after;
    if (!this.core.facts[world.machine.phase].accepts) {
      const cause = this.core.refusalCause(world.machine);
      this.attempt = { by, accepted: false, waits: false, cause };
      return;
    }
    const admission = this.#admit(by);
    const accepted = admission === 'queue' || admission === 'drop-oldest';
    const waits = admission === 'wait';
    const cause = accepted || waits ? undefined : 'overflow';
    this.attempt = { by, accepted, waits, cause };
    if (accepted) this.accept();
    else if (waits) world.room++;
    else if (admission === 'close') this.report(EVENTS.overflowed);
  }

  accept(): void {
    this.after.queued += String(++this.after.accepted);
  }

  /** One that waits in the queue is given up. */
  drop(index: number): void {
    const world = this.after;
    world.dropped += world.queued[index]!;
    world.queued = world.queued.slice(0, index) + world.queued.slice(index + 1);
  }

  /** As the runtime does; every message counts as one byte. */
  #admit(by: Attempt['by']): Admission {
    const world = this.after;
    const { limit, overflow } = world.scenario;
    const state = (): BufferState => ({
      handed: messagesIn(world.stream.slice(world.written)),
      queued: messagesIn(world.queued),
      waiting: world.room,
      limit: limit ?? Infinity,
    });
    const { handed, queued, waiting } = state();
    if (handed + queued + waiting === 0) return 'queue';
    const decide = (): Admission =>
      this.core.admissionOf(overflow, 1, state(), by === 'push' && isLive(world));
    const admission = decide();
    // Pings have no part in it, and the first message may stand behind some.
    const first = (): number => world.queued.search(/[1-9]/);
    while (decide() === 'drop-oldest') this.drop(first());
    return admission;
  }

  start(message: 'waiting' | 'new'): void {
    this.started = message;
    this.after.running++;
  }

  /** What an abort listener sends, in the midst of the effects. */
  #speak(): void {
    const world = this.after;
    if (this.core.facts[world.machine.phase].accepts) world.queued += String(++world.accepted);
  }

  #perform(effect: Effect, event: ConnectionEvent): void {
    const world = this.after;
    switch (effect) {
      case 'dispatch-waiting':
        world.dispatching = world.waiting > 0;
        break;
      case 'discard-waiting':
        world.waiting = 0;
        world.dispatching = false;
        break;
      case 'abort-handlers':
        if (!world.aborted && world.running > 0 && world.scenario.lastWords) this.#speak();
        world.aborted = true;
        world.cut ||= !this.core.facts[world.machine.phase].accepts;
        break;
      case 'await-macrotask':
        world.awaited++;
        break;
      case 'write-ping':
        world.stream += 'P';
        break;
      case 'write-close':
        world.stream += 'X';
        break;
      case 'end-socket':
        world.stream += 'F';
        world.ended = true;
        break;
      case 'close-socket':
        world.stream += 'C';
        world.ended = true;
        break;
      case 'destroy-socket':
        // A peer that was lost is gone, whoever destroys what is left of the socket.
        if (!world.peerEndedFirst && event.type !== 'peerLost')
          world.destruction ??= this.#destructionBy(event);
        world.destroyed = true;
        break;
      case 'acknowledge':
        world.acknowledged = messagesIn(world.stream);
        break;
      case 'settle':
        world.settled++;
        break;
      case 'restart-timer':
        break;
      default: // 'tell:…' changes nothing.
    }
  }

  #destructionBy(event: ConnectionEvent): World['destruction'] {
    if (event.type === 'flushTimeout') return 'flush-timeout';
    const flushing = this.happenings.at(-1)!.from.phase === 'draining.flush';
    return event.type === 'deadline' && flushing ? 'flush-timeout' : 'terminated';
  }

  get unwritten(): boolean {
    return isUnwritten(this.after);
  }
}
