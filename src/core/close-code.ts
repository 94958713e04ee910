/**
 * Close codes (RFC 6455 §7.4, IANA registry): which may be written in a close frame,
 * and how severe each is when several parties close one connection.
 */

/** RFC 6455 §7.4.1: never sent; stands for a close frame that carries no code. */
export const NO_STATUS_RECEIVED = 1005;
/** RFC 6455 §7.4.1: never sent; stands for a connection that ended without a close frame. */
export const ABNORMAL_CLOSURE = 1006;
/** What an invalid code becomes: the server met a condition it did not expect. */
export const INTERNAL_ERROR = 1011;
export const NORMAL_CLOSURE = 1000;
export const POLICY_VIOLATION = 1008;
/** IANA: the service is overloaded, or not ready, and the client may come back later. */
export const TRY_AGAIN_LATER = 1013;

/** How severe a close is; the highest made before the close frame is written decides. */
export const Severity = {
  /** No code, or a code that could not be sent. */
  unspecified: 0,
  /** 1000. */
  normal: 10,
  /** 1001, 1012, 1013, 1014: the server, not the client, is the cause. */
  unavailable: 20,
  /** 3000–4999: the application's own verdict on this client. */
  application: 30,
  /** 1002, 1003, 1007–1011: protocol, policy and internal errors. */
  failure: 40,
} as const;

/** Whether RFC 6455 §7.4 lets an endpoint write this code in a close frame. */
export function isSendableCloseCode(code: unknown): code is number {
  return (
    typeof code === 'number' &&
    Number.isInteger(code) &&
    ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
      (code >= 3000 && code <= 4999))
  );
}

/** The severity of a code that may be sent, or of a frame without one. */
export function severityOf(code: number | undefined): number {
  if (code === undefined) return Severity.unspecified;
  if (code === NORMAL_CLOSURE) return Severity.normal;
  if (code === 1001 || (code >= 1012 && code <= 1014)) return Severity.unavailable;
  if (code >= 3000) return Severity.application;
  return Severity.failure;
}
