/** RFC 6455 §5.5: a control frame carries at most 125 bytes, and the code takes two. */
export const MAX_REASON_BYTES = 123;

const encoder = new TextEncoder();

/**
 * Cuts a reason to 123 bytes of UTF-8 without splitting a character.
 * Half a surrogate pair becomes U+FFFD, as UTF-8 can't carry it (RFC 6455 §8.1).
 */
export function fitReason(reason: string): string {
  const whole = reason.toWellFormed();
  if (whole.length * 3 <= MAX_REASON_BYTES) return whole;
  const { read } = encoder.encodeInto(whole, new Uint8Array(MAX_REASON_BYTES));
  return whole.slice(0, read);
}
