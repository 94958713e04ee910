/**
 * What Nest's filters tell a client of an unknown error; sent in place of a reply that can't be
 * serialised, as the client waits for one.
 */
export const INTERNAL_ERROR_FRAME = JSON.stringify({
  event: 'exception',
  data: { status: 'error', message: 'Internal server error' },
});

/** As `JSON.stringify`, but throws where a value has no JSON form rather than sending nothing. */
export function encodeJson(message: unknown): string {
  const text: string | undefined = JSON.stringify(message);
  if (text === undefined) throw new TypeError(`A ${typeof message} has no JSON form.`);
  return text;
}
