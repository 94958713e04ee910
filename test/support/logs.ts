import type { LoggerService } from '@nestjs/common';

export interface LogLine {
  readonly level: 'log' | 'error' | 'warn' | 'debug' | 'fatal';
  readonly text: string;
}

/** Keeps what the app logs, for tests that look for a line in it. */
export class LogKeeper implements LoggerService {
  readonly lines: LogLine[] = [];

  log = this.#keep('log');
  error = this.#keep('error');
  warn = this.#keep('warn');
  debug = this.#keep('debug');
  fatal = this.#keep('fatal');

  /** The lines of a level that hold a text. */
  matching(level: LogLine['level'], text: string): LogLine[] {
    return this.lines.filter((line) => line.level === level && line.text.includes(text));
  }

  #keep(level: LogLine['level']) {
    return (message: unknown, ...rest: unknown[]): void => {
      this.lines.push({ level, text: [message, ...rest].map(String).join(' ') });
    };
  }
}
