import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Initiator } from '../core/connection.context.js';
import type { CloseOutcome, Handshake } from '../core/outcomes.js';
import { RACE_KINDS, type RaceKind } from '../core/races.js';
import type { LifecycleObserver } from './lifecycle.observer.js';
import { NO_SENDS, sum, type SendTotals } from './send-totals.js';

/** Milliseconds from the beginning of closing to the end of the socket. */
export interface CloseTimes {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** What has happened since the module was created. */
export interface LifecycleReport {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly connections: { readonly opened: number; readonly open: number; readonly closed: number };
  readonly sends: SendTotals;
  /** Every kind, also those that have not been met. */
  readonly races: Readonly<Record<RaceKind, number>>;
  readonly closes: {
    readonly byHandshake: Readonly<Record<Handshake, number>>;
    readonly byInitiator: Readonly<Record<Initiator, number>>;
    readonly byCode: Readonly<Record<number, number>>;
  };
  readonly closeTimes: CloseTimes;
  readonly refusedReplies: number;
  /** Plain data, for `JSON.stringify`. */
  toJSON(): Omit<LifecycleReport, 'toJSON' | 'toString'>;
  /** A block of text for people. */
  toString(): string;
}

type ReportData = ReturnType<LifecycleReport['toJSON']>;

/** From microseconds, to three digits. */
function ms(microseconds: number): number {
  return Math.round(microseconds) / 1000;
}

/** Counts what is observed; costs an open connection nothing. */
export class LifecycleStatistics implements LifecycleObserver {
  readonly #since: number;
  #opened = 0;
  #closed = 0;
  #sends = NO_SENDS;
  #refusedReplies = 0;
  readonly #races = Object.fromEntries(RACE_KINDS.map((kind) => [kind, 0])) as Record<
    RaceKind,
    number
  >;
  readonly #byHandshake: Record<Handshake, number> = {
    clean: 0,
    crossed: 0,
    terminated: 0,
    lost: 0,
  };
  readonly #byInitiator: Record<Initiator, number> = { server: 0, peer: 0, network: 0 };
  readonly #byCode: Record<number, number> = {};
  /** In microseconds, as it holds whole numbers from 1. */
  readonly #closeTimes: RecordableHistogram = createHistogram();

  constructor(now: number) {
    this.#since = now;
  }

  opened(): void {
    this.#opened++;
  }

  ready(): void {}
  closing(): void {}

  closed(outcome: CloseOutcome, sends: SendTotals): void {
    this.#closed++;
    this.#sends = sum(this.#sends, sends);
    this.#refusedReplies += outcome.refusedReplies;
    this.#byHandshake[outcome.handshake]++;
    this.#byInitiator[outcome.initiator]++;
    this.#byCode[outcome.code] = (this.#byCode[outcome.code] ?? 0) + 1;
    this.#closeTimes.record(Math.max(1, Math.round(outcome.durationMs * 1000)));
  }

  race(kind: RaceKind): void {
    this.#races[kind]++;
  }

  /** `live` are the totals of connections that have not ended. */
  report(live: Iterable<SendTotals>): LifecycleReport {
    const data: ReportData = {
      since: this.#since,
      connections: {
        opened: this.#opened,
        open: this.#opened - this.#closed,
        closed: this.#closed,
      },
      sends: [...live].reduce(sum, this.#sends),
      races: { ...this.#races },
      closes: {
        byHandshake: { ...this.#byHandshake },
        byInitiator: { ...this.#byInitiator },
        byCode: { ...this.#byCode },
      },
      closeTimes: this.#times(),
      refusedReplies: this.#refusedReplies,
    };
    return { ...data, toJSON: () => data, toString: () => textOf(data) };
  }

  #times(): CloseTimes {
    const times = this.#closeTimes;
    if (times.count === 0) return { count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 };
    return {
      count: times.count,
      mean: ms(times.mean),
      p50: ms(times.percentile(50)),
      p95: ms(times.percentile(95)),
      p99: ms(times.percentile(99)),
      max: ms(times.max),
    };
  }
}

function list(counts: Readonly<Record<string, number>>): string {
  const met = Object.entries(counts).filter(([, count]) => count > 0);
  return met.map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
}

function textOf(report: ReportData): string {
  const { connections, sends, closes, closeTimes } = report;
  const rows: [string, string][] = [
    ['since', new Date(report.since).toISOString()],
    [
      'connections',
      list({ opened: connections.opened, open: connections.open, closed: connections.closed }),
    ],
    ['sends', list({ ...sends })],
    ['refused replies', String(report.refusedReplies)],
    ['handshakes', list(closes.byHandshake)],
    ['initiators', list(closes.byInitiator)],
    ['codes', list(closes.byCode)],
    [
      'close times',
      closeTimes.count === 0
        ? 'none'
        : `mean ${closeTimes.mean} ms, p50 ${closeTimes.p50}, p95 ${closeTimes.p95}, ` +
          `p99 ${closeTimes.p99}, max ${closeTimes.max}`,
    ],
    ['races', list(report.races)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(16)}${value}`).join('\n');
}
