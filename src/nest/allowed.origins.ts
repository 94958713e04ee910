/**
 * An allowed origin as browsers send it (RFC 6454 §6.1): in lower case, without the port that its
 * scheme implies. `undefined` where it names none: with a path, a wildcard, or no scheme.
 */
function asSent(origin: string): string | undefined {
  // What browsers send for a sandboxed frame or a local file.
  if (origin === 'null') return origin;
  if (!/^[a-z][a-z\d+.-]*:\/\/[^*?#@]*$/i.test(origin) || !URL.canParse(origin)) return undefined;
  const { protocol, host, pathname } = new URL(origin);
  return pathname === '/' || pathname === '' ? `${protocol}//${host}`.toLowerCase() : undefined;
}

/** What `allowedOrigins` may hold; a slash at the end is put up with. */
export function isAllowedOrigin(value: unknown): value is string | RegExp {
  return value instanceof RegExp || (typeof value === 'string' && asSent(value) !== undefined);
}

/** Whether browsers may connect from an origin. No header is no browser's, and passes. */
export function originCheck(
  allowed: readonly (string | RegExp)[],
): (origin: string | undefined) => boolean {
  const names = new Set(
    allowed.flatMap((entry) => (typeof entry === 'string' ? [entry] : [])).map(asSent),
  );
  // Copies: one of the app's with /g or /y keeps its place from one test to the next.
  const patterns = allowed.flatMap((entry) =>
    typeof entry === 'string' ? [] : [new RegExp(entry)],
  );
  return (origin) => {
    if (origin === undefined || names.has(origin.toLowerCase())) return true;
    return patterns.some((pattern) => {
      pattern.lastIndex = 0;
      return pattern.test(origin);
    });
  };
}
