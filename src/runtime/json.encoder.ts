/** As `JSON.stringify`, but throws where a value has no JSON form rather than sending nothing. */
export function encodeJson(message: unknown): string {
  const text: string | undefined = JSON.stringify(message);
  if (text === undefined) throw new TypeError(`A ${typeof message} has no JSON form.`);
  return text;
}
