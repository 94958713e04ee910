import { IllegalEventError } from '../../../src/core/errors.js';
import type { Core } from './core.parts.js';
import { chainViolation, Chains } from './exploration.chains.js';
import { TransitionMemory } from './exploration.memory.js';
import { movesOf } from './exploration.moves.js';
import { brokenByState, brokenByTurn } from './invariant.list.js';
import type { Scenario } from './scenario.list.js';
import { describeTrace } from './trace.text.js';
import { Turn } from './turn.record.js';
import { forgetful, keyOf } from './world.key.js';
import { firstWorld, type World } from './world.state.js';

export const ILLEGAL_EVENT = 'every event that can happen stands in the table';
export const CRASH = 'no event makes the machine throw anything else';

export interface Violation {
  readonly invariant: string;
  /** The shortest way to it, a line for each thing that happens. */
  readonly trace: string;
}

export interface Exploration {
  readonly states: number;
  readonly violation?: Violation;
}

interface Broken {
  readonly invariant: string;
  /** The state in which it begins, and what happens there. */
  readonly index: number;
  readonly label?: string;
}

/** Lets something happen, and names the first invariant that this breaks. */
function breach(turn: Turn, act: (turn: Turn) => void): string | undefined {
  try {
    act(turn);
  } catch (error) {
    return error instanceof IllegalEventError ? ILLEGAL_EVENT : CRASH;
  }
  return brokenByTurn(turn);
}

/** A breadth-first search: the states that were met, and how each was met first. */
class Search {
  readonly #memory: TransitionMemory;
  readonly #core: Core;
  readonly #indexes = new Map<Scenario, Map<string, number>>();
  readonly #scenarios: Scenario[] = [];
  readonly #parents: number[] = [];
  readonly #labels: string[] = [];
  /** Those that were not visited yet; the others are forgotten. */
  readonly #worlds: (World | undefined)[] = [];
  readonly #chains = new Chains();
  #broken: Broken | undefined;

  constructor(private readonly original: Core) {
    this.#memory = new TransitionMemory(original.transition);
    this.#core = { ...original, transition: this.#memory.transition };
  }

  run(scenarios: readonly Scenario[]): Exploration {
    for (const scenario of scenarios) {
      this.#indexes.set(scenario, new Map());
      this.#add(firstWorld(scenario), -1, '');
    }
    for (let index = 0; index < this.#worlds.length && !this.#broken; index++) this.#visit(index);
    this.#broken ??= chainViolation(this.#chains);
    const states = this.#worlds.length;
    return this.#broken ? { states, violation: this.#describe(this.#broken) } : { states };
  }

  #visit(index: number): void {
    const world = this.#worlds[index]!;
    this.#worlds[index] = undefined;
    movesOf(world, this.#core, (kind, label, act) => {
      if (this.#broken) return;
      const turn = new Turn(this.#core, label, world);
      const broken = breach(turn, act);
      const next = broken === undefined ? this.#next(turn, index) : broken;
      if (typeof next === 'string') this.#broken = { invariant: next, index, label };
      else this.#chains.link(index, kind, next);
    });
  }

  /** The state that follows, or the invariant that it breaks. */
  #next(turn: Turn, parent: number): number | string {
    const world = forgetful(turn.after);
    const known = this.#indexes.get(world.scenario)!.get(this.#keyOf(world));
    if (known !== undefined) return known;
    return brokenByState(turn) ?? this.#add(world, parent, turn.label);
  }

  #keyOf(world: World): string {
    return keyOf(world, this.#memory.numberOf(world.machine));
  }

  #add(world: World, parent: number, label: string): number {
    const index = this.#worlds.push(world) - 1;
    this.#indexes.get(world.scenario)!.set(this.#keyOf(world), index);
    this.#scenarios.push(world.scenario);
    this.#parents.push(parent);
    this.#labels.push(label);
    this.#chains.add(world);
    return index;
  }

  #describe({ invariant, index, label }: Broken): Violation {
    const labels = label === undefined ? [] : [label];
    for (let at = index; this.#parents[at]! >= 0; at = this.#parents[at]!) {
      labels.unshift(this.#labels[at]!);
    }
    return { invariant, trace: describeTrace(this.original, this.#scenarios[index]!, labels) };
  }
}

/** Visits every state that can be reached, the nearest first, up to the first violation. */
export function explore(core: Core, scenarios: readonly Scenario[]): Exploration {
  return new Search(core).run(scenarios);
}
