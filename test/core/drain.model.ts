import {
  drainTransitionOf,
  type DrainEffect,
  type DrainEvent,
  type DrainPhase,
  type DrainRow,
} from '../../src/core/drain.js';

type TimerName = 'deadline' | 'delay' | 'interval' | 'reserve';

/** A server with a few connections, as far as its drain is concerned. */
interface World {
  readonly phase: DrainPhase;
  /** Connections that nobody has asked to close, that were asked, and hooks after their end. */
  readonly unasked: number;
  readonly asked: number;
  readonly hooks: number;
  readonly timers: readonly TimerName[];
  readonly unready: boolean;
  readonly refusing: boolean;
  readonly quiet: boolean;
  readonly finished: number;
  /** The deadline was brought forward; the reserve is over. */
  readonly shortened: boolean;
  readonly outOfTime: boolean;
  /** What may still come. */
  readonly late: number;
  readonly hurries: number;
  readonly broken: string | undefined;
}

export interface Exploration {
  readonly states: number;
  /** The invariant that was broken first, and how. */
  readonly violation: { readonly invariant: string; readonly trace: readonly string[] } | undefined;
}

interface Move {
  readonly label: string;
  readonly to: World;
}

const CONNECTIONS = 3;

class Model {
  readonly #transition: ReturnType<typeof drainTransitionOf>;

  constructor(table: readonly DrainRow[]) {
    this.#transition = drainTransitionOf(table);
  }

  /** What each event leads to, its effects performed as the runtime does, one connection a batch. */
  handle(world: World, event: DrainEvent): World {
    let current = world;
    const events = [event];
    for (let next = events.shift(); next; next = events.shift()) {
      const { phase, effects } = this.#transition(current.phase, next);
      current = { ...current, phase };
      for (const effect of effects) {
        const performed = perform(current, effect);
        current = performed.world;
        if (performed.event) events.push(performed.event);
      }
    }
    return current;
  }

  moves(world: World): Move[] {
    const { unasked, asked, hooks, timers, late, hurries, phase } = world;
    const moves: Move[] = [];
    const take = (label: string, to: World, event?: DrainEvent): void => {
      moves.push({ label, to: event ? this.handle(to, event) : to });
    };
    const ended = (to: World): DrainEvent => ({ type: 'ended', busy: isBusy(to) });
    for (const delayed of phase === 'serving' ? [true, false] : []) {
      const to = this.handle(world, { type: 'begun', delayed });
      const inOrder = delayed ? to.phase === 'unready' : to.refusing;
      take(`begun, delayed ${delayed}`, inOrder ? to : broken(to, 'it begins with its delay'));
    }
    if (unasked > 0) {
      const to = { ...world, unasked: unasked - 1, hooks: hooks + 1 };
      take('one that was not asked ends', to, ended(to));
    }
    if (asked > 0) {
      const to = { ...world, asked: asked - 1, hooks: hooks + 1 };
      take('one that was asked ends', to, ended(to));
    }
    if (hooks > 0) {
      const to = { ...world, hooks: hooks - 1 };
      take('a hook ends', to, ended(to));
    }
    if (late > 0) {
      take('one opens', { ...world, late: late - 1, unasked: unasked + 1 }, { type: 'opened' });
    }
    if (hurries > 0 && phase !== 'serving') {
      const to = this.handle({ ...world, hurries: hurries - 1 }, { type: 'hurried' });
      const over = phase === 'terminating' || phase === 'drained';
      const hurried = over || (to.shortened && to.refusing && to.unasked === 0);
      take('somebody hurries', hurried ? to : broken(to, 'a hurry leaves nobody unasked'));
    }
    const fire: Record<TimerName, DrainEvent> = {
      deadline: { type: 'deadline', busy: isBusy(world) },
      delay: { type: 'delayOver' },
      interval: { type: 'intervalOver' },
      reserve: { type: 'reserveOver' },
    };
    for (const timer of timers) {
      const outOfTime = world.outOfTime || timer === 'reserve';
      const left = timers.filter((other) => other !== timer);
      const to = this.handle({ ...world, outOfTime, timers: left }, fire[timer]);
      const begun = timer !== 'delay' || to.phase !== 'unready';
      take(`${timer} is over`, begun ? to : broken(to, 'the delay ends'));
    }
    return moves;
  }
}

function isBusy({ unasked, asked, hooks }: World): boolean {
  return unasked + asked + hooks > 0;
}

function started(world: World, name: TimerName): World {
  return { ...world, timers: [...new Set([...world.timers, name])].toSorted() };
}

function broken(world: World, invariant: string): World {
  return { ...world, broken: world.broken ?? invariant };
}

function asking(world: World, count: number): { world: World; event: DrainEvent } {
  const now = Math.min(count, world.unasked);
  let to: World = { ...world, unasked: world.unasked - now, asked: world.asked + now };
  if (!world.refusing) to = broken(to, 'nobody is asked before upgrades are refused');
  if (!world.quiet) to = broken(to, 'nobody is asked before dispatch is stopped');
  return {
    world: to,
    event: { type: 'batchAsked', unasked: to.unasked > 0, busy: isBusy(to) },
  };
}

function perform(world: World, effect: DrainEffect): { world: World; event?: DrainEvent } {
  switch (effect) {
    case 'report-unready':
      return { world: { ...world, unready: true } };
    case 'start-deadline':
      return { world: started(world, 'deadline') };
    case 'shorten-deadline':
      return { world: started({ ...world, shortened: true }, 'deadline') };
    case 'start-delay':
      return { world: started(world, 'delay') };
    case 'refuse-upgrades':
      return {
        world: world.unready
          ? { ...world, refusing: true }
          : broken(world, 'readiness is reported down before anything else'),
      };
    case 'stop-dispatch':
      return { world: { ...world, quiet: true } };
    case 'ask-batch':
      return asking(world, 1);
    case 'ask-all':
      return asking(world, Number.POSITIVE_INFINITY);
    case 'start-interval':
      return { world: started(world, 'interval') };
    case 'start-reserve':
      return { world: started(world, 'reserve') };
    case 'terminate-rest':
      return { world: { ...world, asked: world.asked + world.unasked, unasked: 0 } };
    case 'stop-timers':
      return { world: { ...world, timers: [] } };
    case 'finish':
      return {
        world:
          isBusy(world) && !world.outOfTime
            ? broken(world, 'it waits for all as long as there is time')
            : { ...world, finished: world.finished + 1 },
      };
  }
}

/** What must hold in every state. */
function violated(world: World): string | undefined {
  const { phase, timers, finished, refusing, quiet, unasked, unready } = world;
  if (world.broken) return world.broken;
  if (finished !== Number(phase === 'drained')) return 'it finishes once, as it is drained';
  if (phase === 'drained' && timers.length > 0) return 'no timer outlives the drain';
  if (phase !== 'serving' && !unready) return 'readiness is reported down before anything else';
  if (phase === 'unready' && (refusing || quiet)) return 'while it is unready everything works';
  if (!['serving', 'unready'].includes(phase) && !(refusing && quiet)) {
    return 'from the first batch on nobody comes in, and no handler starts';
  }
  if (!['serving', 'drained'].includes(phase) && timers.length === 0)
    return 'every phase has a timer';
  if (['waiting', 'terminating', 'drained'].includes(phase) && unasked > 0) {
    return 'nobody is waited for who was not asked';
  }
  if (phase === 'closing' && unasked > 0 && !timers.includes('interval')) {
    return 'while some were not asked, the next batch comes';
  }
  return undefined;
}

/** Where nothing happens but timers: each state must come to an end. */
function endsByTimers(model: Model, from: World): boolean {
  let world = from;
  for (let step = 0; step < 20; step++) {
    if (world.phase === 'drained') return true;
    const [timer] = [...world.timers].toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
    if (!timer) return false;
    const move = model.moves(world).find(({ label }) => label === `${timer} is over`)!;
    world = move.to;
  }
  return false;
}

/** In which order they fire where nobody does anything. */
const ORDER: readonly TimerName[] = ['delay', 'interval', 'deadline', 'reserve'];

/** Tries everything in every order, the shortest first. */
export function exploreDrain(table: readonly DrainRow[]): Exploration {
  const model = new Model(table);
  const start: World = {
    phase: 'serving',
    unasked: CONNECTIONS,
    asked: 0,
    hooks: 0,
    timers: [],
    unready: false,
    refusing: false,
    quiet: false,
    finished: 0,
    shortened: false,
    outOfTime: false,
    late: 1,
    hurries: 2,
    broken: undefined,
  };
  const seen = new Map<string, { world: World; trace: readonly string[] }>();
  const queue: { world: World; trace: readonly string[] }[] = [];
  const visit = (world: World, trace: readonly string[]): void => {
    const key = JSON.stringify(world);
    if (seen.has(key)) return;
    const state = { world, trace };
    seen.set(key, state);
    queue.push(state);
  };
  visit(start, []);
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { world, trace } = next;
    const invariant = violated(world);
    if (invariant) return { states: seen.size, violation: { invariant, trace } };
    if (world.phase !== 'serving' && !endsByTimers(model, world)) {
      return { states: seen.size, violation: { invariant: 'it ends by timers alone', trace } };
    }
    for (const { label, to } of model.moves(world)) visit(to, [...trace, label]);
  }
  const idle = [...seen.values()].find(
    ({ world }) => world.phase !== 'serving' && world.phase !== 'drained' && isStuck(world),
  );
  return {
    states: seen.size,
    violation: idle && { invariant: 'with nothing left it is drained at once', trace: idle.trace },
  };
}

/** All have gone, and it still waits: it would cost a shutdown its deadline. */
function isStuck(world: World): boolean {
  return world.phase !== 'unready' && !isBusy(world);
}
