import { afterEach } from '@jest/globals';

type Cleanup = () => unknown;

const cleanups: Cleanup[] = [];

/** Runs after the test, also after a failed one; what was begun last ends first. */
export function afterTest(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

afterEach(async () => {
  for (let next = cleanups.pop(); next; next = cleanups.pop()) {
    // One may need what the next one takes away.
    // oxlint-disable-next-line no-await-in-loop
    await next();
  }
});
