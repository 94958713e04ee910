import 'reflect-metadata';
import { boot, portOf, type AppParts } from '../boot.js';

/** From a program to the test that has started it. */
export type FromChild =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'pong' }
  | { readonly type: 'note'; readonly text: string };

/** What a test sends to ask whether the program still runs. */
export const PING = 'ping';

/** Boots an app in a process of its own, which lives as long as its test. */
export async function serve(parts: AppParts): Promise<void> {
  const app = await boot(parts, false);
  process.on('message', (message) => {
    if (message === PING) tell({ type: 'pong' });
  });
  process.on('disconnect', () => process.exit());
  tell({ type: 'listening', port: portOf(app) });
}

/** Tells the test of something that happened in here. */
export function note(text: string): void {
  tell({ type: 'note', text });
}

function tell(message: FromChild): void {
  process.send!(message);
}
