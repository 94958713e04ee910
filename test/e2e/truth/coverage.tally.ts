import type { ScheduleResult } from './schedule.runner.js';

/** How often each thing was met, so that one sees what a campaign has covered. */
export class CoverageTally {
  schedules = 0;
  connections = 0;
  readonly #groups = new Map<string, Map<string, number>>();

  add({ records }: ScheduleResult): void {
    this.schedules++;
    for (const { plan, sent, questions, events, outcome, unnumbered } of records) {
      this.connections++;
      const { peer, path, hook } = plan;
      this.#count('client', `${peer.kind} on ${path}`);
      this.#count('handleConnection', hook.kind);
      for (const { act } of peer.script) this.#count('client did', act.do);
      for (const { start } of plan.parties) this.#count('party began at', start);
      for (const message of sent) {
        const [told] = message.outcomes;
        this.#count('sent by', message.via);
        if (!told) continue;
        const { status } = told;
        const detail = status === 'refused' || status === 'lost' ? ` ${told.cause}` : '';
        this.#count('send', `${status}${detail}${status === 'lost' ? `, sent ${told.sent}` : ''}`);
      }
      if (unnumbered > 0) this.#count('sent by', 'an exception filter', unnumbered);
      for (const { answer } of questions) this.#count('acknowledged()', String(answer));
      for (const event of events) if (event.type === 'race') this.#count('race', event.kind);
      if (!outcome) continue;
      this.#count('close', `${outcome.handshake}, by ${outcome.initiator}`);
      this.#count('all read', String(outcome.acknowledged));
    }
  }

  toString(): string {
    const lines = [`${this.schedules} schedules, ${this.connections} connections`];
    for (const [group, counts] of [...this.#groups].toSorted(([a], [b]) => a.localeCompare(b))) {
      const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
      lines.push(`${group}: ${sorted.map(([name, count]) => `${name} ${count}`).join('; ')}`);
    }
    return lines.join('\n');
  }

  #count(group: string, name: string, by = 1): void {
    const counts = this.#groups.get(group) ?? new Map<string, number>();
    this.#groups.set(group, counts);
    counts.set(name, (counts.get(name) ?? 0) + by);
  }
}
