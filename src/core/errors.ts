/** Base of every error this package throws; `code` is stable, the message is for people. */
export class SafeCloseError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The runtime reported something that can't happen in this phase: a defect of ours. */
export class IllegalEventError extends SafeCloseError {
  constructor(
    readonly phase: string,
    readonly event: string,
  ) {
    super('ERR_ILLEGAL_EVENT', `A connection in "${phase}" can't take the event "${event}".`);
  }
}

/** One faulty option. */
export interface OptionFault {
  /** Where it stands, such as `close.flushTimeout`. */
  readonly option: string;
  readonly received: unknown;
  readonly expected: string;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null) {
    try {
      return JSON.stringify(value) ?? Object.prototype.toString.call(value);
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return String(value);
}

/** Every fault of the options at once, each with what came and what is valid. */
export class InvalidOptionsError extends SafeCloseError {
  constructor(
    readonly origin: string,
    readonly faults: readonly OptionFault[],
  ) {
    super(
      'ERR_INVALID_OPTIONS',
      `${origin} has ${faults.length === 1 ? 'a faulty option' : `${faults.length} faulty options`}:\n` +
        faults
          .map(
            ({ option, received, expected }) =>
              `  - ${option}: got ${shown(received)}; valid: ${expected}`,
          )
          .join('\n'),
    );
  }
}

/** The app is set up in a way that can't be made safe; the message shows the line to write. */
export class SetupError extends SafeCloseError {}
