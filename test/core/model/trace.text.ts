import type { Core } from './core.parts.js';
import { movesOf } from './exploration.moves.js';
import type { Scenario } from './scenario.list.js';
import { Turn } from './turn.record.js';
import { forgetful } from './world.key.js';
import { firstWorld, type World } from './world.state.js';

/** Lets it happen, and says what each event made of the connection. */
function describeTurn(turn: Turn, act: (turn: Turn) => void): string {
  const { label, happenings } = turn;
  try {
    act(turn);
  } catch (error) {
    return `${label}\n      ${String(error)}`;
  }
  const { attempt } = turn;
  const outcome = attempt?.accepted ? 'accepted' : `refused (${attempt?.cause})`;
  const lines = [attempt ? `${label}: ${outcome}` : label];
  for (const { event, from, to, effects } of happenings) {
    const phases = from.phase === to.phase ? from.phase : `${from.phase} → ${to.phase}`;
    const performed = effects.length > 0 ? `; ${effects.join(', ')}` : '';
    lines.push(`      ${event.type}: ${phases}${performed}`);
  }
  return lines.join('\n');
}

/** Repeats what happened, by its labels. */
export function describeTrace(core: Core, scenario: Scenario, labels: readonly string[]): string {
  let world: World = firstWorld(scenario);
  const lines = [`(${world.machine.phase})`];
  for (const [index, wanted] of labels.entries()) {
    let turn: Turn | undefined;
    movesOf(world, core, (_kind, label, act) => {
      if (label !== wanted || turn) return;
      turn = new Turn(core, label, world);
      lines.push(`${index + 1}. ${describeTurn(turn, act)}`);
    });
    if (!turn) throw new Error(`"${wanted}" can't happen here.`);
    world = forgetful(turn.after);
  }
  return lines.join('\n');
}
