import type { LoggerService } from '@nestjs/common';
import { inspect } from 'node:util';
import { RACE_LEVELS, type RaceKind } from '../core/races.js';
import type { LifecycleObserver, RaceDetail } from '../runtime/lifecycle.observer.js';

/** Lines of one kind in one window; a flood goes on being counted, not logged. */
const LINES_PER_WINDOW = 5;
const WINDOW_MS = 10_000;

interface Window {
  readonly since: number;
  lines: number;
  withheld: number;
}

/** What a race means to somebody who reads the log, where the name alone does not say. */
const MESSAGES: Partial<Record<RaceKind, string>> = {
  'flush-timeout': 'The reader took nothing in time (close.flushTimeout); what was left is lost.',
  'settle-timeout':
    'Handlers have not ended in time (handlers.settleTimeout); their replies are refused. Does ' +
    "one await a close by handlers: 'finish'? It waits for itself.",
  'send-overflow':
    'A reader has fallen behind, and there is no room for more (send.maxBuffered, ' +
    'send.maxTotalBuffered): see send.overflow, or await writable().',
  'slow-consumer':
    'The reader takes too little of what is sent to it (send.maxBuffered); it is closed with 1013.',
  'handlers-saturated':
    'Messages come faster than handlers end; the socket is read on once half of those that wait ' +
    'have started (handlers.maxInFlight, handlers.maxQueuedBytes).',
  'protocol-error': 'The peer broke the protocol, or sent a message above maxPayload.',
  'transport-stuck': 'A destroyed socket was never reported closed.',
  'illegal-event': 'Please report this at the issue tracker of nestjs-safe-close.',
};

/** Logs races through Nest's Logger: expected at debug, unexpected at warn, our own at error. */
export class RaceLogger implements LifecycleObserver {
  readonly #windows = new Map<RaceKind, Window>();

  constructor(
    private readonly logger: Required<Pick<LoggerService, 'debug' | 'warn' | 'error'>>,
    private readonly now: () => number,
  ) {}

  opened(): void {}
  ready(): void {}
  closing(): void {}
  closed(): void {}

  race(kind: RaceKind, connectionId: string, { message, error }: RaceDetail): void {
    const withheld = this.#admit(kind);
    if (withheld === undefined) return;
    const more = withheld > 0 ? ` (and ${withheld} more since the last line)` : '';
    const text = [connectionId && `[${connectionId}]`, `${kind}${more}`, message ?? MESSAGES[kind]]
      .filter(Boolean)
      .join(' ');
    const level = RACE_LEVELS[kind];
    if (level === 'expected') this.logger.debug(text);
    else if (level === 'unexpected') this.logger.warn(withError(text, error));
    else this.logger.error(withError(text, error));
  }

  /** How many lines were withheld before this one; `undefined` where this one is, too. */
  #admit(kind: RaceKind): number | undefined {
    const now = this.now();
    let window = this.#windows.get(kind);
    const withheld = window?.withheld ?? 0;
    if (!window || now - window.since >= WINDOW_MS) {
      window = { since: now, lines: 0, withheld: 0 };
      this.#windows.set(kind, window);
    } else if (window.lines >= LINES_PER_WINDOW) {
      window.withheld++;
      return undefined;
    }
    window.lines++;
    return window.lines === 1 ? withheld : 0;
  }
}

function withError(text: string, error: unknown): string {
  if (error === undefined) return text;
  return `${text}\n${inspect(error)}`;
}
