import {
  INTERNAL_ERROR,
  isSendableCloseCode,
  NO_STATUS_RECEIVED,
  Severity,
  severityOf,
} from './close-code.js';
import { fitReason } from './close-reason.js';

/** What becomes of handlers that still run when closing begins. */
export type HandlersPolicy = 'abort' | 'finish';

/** One party's wish to close, with arguments that a close frame can carry. */
export interface CloseRequest {
  /** `undefined`: a close frame without a code, which the peer sees as 1005. */
  readonly code: number | undefined;
  readonly reason: string;
  readonly precedence: number;
  readonly handlers: HandlersPolicy;
  /** When it was made, in milliseconds since the epoch. */
  readonly at: number;
}

/** A close frame as it was written or read. */
export interface CloseFrame {
  readonly code: number;
  readonly reason: string;
}

/** What was wrong with the arguments of a close, for the one who is told. */
export type CloseArgumentFault = 'code' | 'reason';

export interface NormalizedClose {
  readonly request: CloseRequest;
  readonly faults: readonly CloseArgumentFault[];
}

const NO_FAULTS: readonly CloseArgumentFault[] = [];

/**
 * Turns any arguments into a request that can be sent, and never throws.
 * 1005 asks for a frame without a code; any other invalid code becomes 1011 at the lowest
 * severity; a reason that is too long or ill-formed is cut or mended, and goes with a code only.
 */
export function normalizeClose(
  code: unknown,
  reason: unknown,
  options: { at: number; handlers: HandlersPolicy; precedence?: number | undefined },
): NormalizedClose {
  let faults = NO_FAULTS;
  let sendable: number | undefined;
  let severity: number = Severity.unspecified;
  if (isSendableCloseCode(code)) {
    sendable = code;
    severity = severityOf(code);
  } else if (code !== undefined && code !== NO_STATUS_RECEIVED) {
    sendable = INTERNAL_ERROR;
    faults = [...faults, 'code'];
  }
  let text = '';
  if (typeof reason === 'string') {
    const fitted = fitReason(reason);
    if (fitted !== reason) faults = [...faults, 'reason'];
    text = fitted;
  } else if (reason instanceof Uint8Array) {
    text = fitReason(new TextDecoder().decode(reason));
    const bytes = new TextEncoder().encode(text);
    const kept = bytes.length === reason.length && bytes.every((byte, at) => byte === reason[at]);
    if (!kept) faults = [...faults, 'reason'];
  } else if (reason !== undefined && reason !== null) {
    faults = [...faults, 'reason'];
  }
  return {
    request: {
      code: sendable,
      reason: sendable === undefined ? '' : text,
      precedence: options.precedence ?? severity,
      handlers: options.handlers,
      at: options.at,
    },
    faults,
  };
}

/** The index of the request that decides: the most severe, and of equals the first. */
export function decidingRequest(requests: readonly CloseRequest[]): number {
  let decided = 0;
  for (let i = 1; i < requests.length; i++) {
    if (requests[i]!.precedence > requests[decided]!.precedence) decided = i;
  }
  return decided;
}
