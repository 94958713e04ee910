import { WsException } from '@nestjs/websockets';
import { INTERNAL_ERROR, POLICY_VIOLATION } from '../core/close-code.js';
import type { Owner } from '../runtime/owner.js';
import { ConnectionRejectedException } from './connection-rejected.exception.js';

/** With what code and reason a rejection closes; nothing internal gets into the reason. */
function rejectionOf(error: unknown): { code: number; reason: string; expected: boolean } {
  if (error instanceof ConnectionRejectedException) {
    return { code: error.code, reason: error.reason, expected: true };
  }
  if (error instanceof WsException) {
    const given = error.getError();
    return {
      code: POLICY_VIOLATION,
      reason: typeof given === 'string' ? given : error.message,
      expected: true,
    };
  }
  return { code: INTERNAL_ERROR, reason: '', expected: false };
}

/** It stopped as the connection's signal told it to; Node's own functions put that into `cause`. */
function heedsSignal({ signal }: Owner, error: unknown): boolean {
  if (!signal.aborted) return false;
  const { cause } = Object(error) as { cause?: unknown };
  return error === signal.reason || cause === signal.reason;
}

/** Closes a connection that a hook has rejected, and tells of what nobody expects. */
export function onHookError(owner: Owner, hook: string, error: unknown): void {
  const { code, reason, expected } = rejectionOf(error);
  if (!expected && !heedsSignal(owner, error)) {
    owner.tell('hook-rejection', {
      message: `${hook} failed. Throw a ConnectionRejectedException to close with a code of your own.`,
      error,
    });
  }
  owner.reject(code, reason);
}
