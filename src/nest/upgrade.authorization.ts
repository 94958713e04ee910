import type { IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import type { RaceDetail } from '../runtime/lifecycle.observer.js';
import type { Authorize } from './safe-close.options.js';

/** The HTTP status of an upgrade that may pass. */
export const SWITCHING_PROTOCOLS = 101;
const UNAUTHORIZED = 401;
const INTERNAL_SERVER_ERROR = 500;

/** What `authorize` comes to, as a status; its faults are told, and are nothing to the client. */
export function authorization(
  authorize: Authorize,
  tell: (detail: RaceDetail) => void,
): (request: IncomingMessage) => number | Promise<number> {
  const failed = (error: unknown): number => {
    tell({ message: 'authorize failed; the upgrade is refused with 500.', error });
    return INTERNAL_SERVER_ERROR;
  };
  return (request) => {
    try {
      const verdict: unknown = authorize(request);
      return isPromiseLike(verdict)
        ? Promise.resolve(verdict).then(statusOf).catch(failed)
        : statusOf(verdict);
    } catch (error) {
      return failed(error);
    }
  };
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

function statusOf(verdict: unknown): number {
  if (verdict === true) return SWITCHING_PROTOCOLS;
  if (verdict === false) return UNAUTHORIZED;
  const { status } = Object(verdict) as { status?: unknown };
  if (typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599) {
    return status;
  }
  const got = inspect(verdict, { depth: 0, breakLength: Infinity });
  throw new TypeError(
    `authorize() gave ${got}; valid: true, false, or { status } from 400 to 599, or a promise of it.`,
  );
}
