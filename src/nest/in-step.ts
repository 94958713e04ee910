import { Observable } from 'rxjs';
import type { Connection } from '../runtime/connection.js';
import { PulledStream } from '../runtime/pulled-stream.js';

/**
 * An Observable that asks its source for the next value only while the connection has room for it,
 * for handlers whose values go through operators or interceptors. A source that is returned from a
 * handler as it is needs nothing.
 *
 * @returns one that completes early, and lets the source clean up, where it is unsubscribed or the
 * connection accepts no more
 */
export function inStep<T>(
  connection: Pick<Connection, 'writable'>,
  source: AsyncIterable<T> | Iterable<T>,
): Observable<T> {
  return new Observable((subscriber) => {
    const host = {
      get room() {
        return connection.writable();
      },
      afterMacrotask: (callback: () => void) => void setImmediate(callback),
    };
    const observer = {
      next: (value: unknown) => subscriber.next(value as T),
      error: (error: unknown) => subscriber.error(error),
      complete: () => subscriber.complete(),
    };
    const stream = new PulledStream(host, observer, () => {}).start(pullable(source));
    return () => void stream.cut();
  });
}

async function* pullable<T>(source: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* source;
}
