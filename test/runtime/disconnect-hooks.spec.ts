import { describe, expect, test } from '@jest/globals';
import type { RaceKind } from '../../src/core/races.js';
import { DisconnectHooks, type DisconnectHost } from '../../src/runtime/disconnect-hooks.js';
import { HookTally } from '../../src/runtime/hook-tally.js';
import { ManualClock } from '../support/fakes/manual.clock.js';
import { deferred, microtasks } from './harness.js';

const CHAT = { name: 'Chat' };
const NEWS = { name: 'News' };

class Setting implements DisconnectHost {
  readonly clock = new ManualClock();
  readonly tally = new HookTally();
  readonly log: string[] = [];
  readonly busy = new Map<object, string>();
  readonly hooks = new DisconnectHooks({
    host: this,
    clock: this.clock,
    tally: this.tally,
    patience: () => 1_000,
  });

  busyWith(gateway: object): string | undefined {
    return this.busy.get(gateway);
  }

  tell(kind: RaceKind, { message }: { message?: string }): void {
    this.log.push(`${kind}: ${message}`);
  }

  onGone(): void {
    this.log.push('gone');
  }

  add(gateway: { readonly name: string }, result?: unknown): void {
    this.hooks.add(gateway, () => {
      this.log.push(gateway.name);
      return result;
    });
  }
}

describe('a handleDisconnect', () => {
  test('begins at once where it has nothing to wait for', () => {
    const setting = new Setting();
    setting.add(CHAT);
    setting.hooks.seal();
    expect(setting.log).toEqual(['Chat', 'gone']);
    expect(setting.tally).toMatchObject({ running: 0, ended: 1 });
    expect(setting.clock.pendingTimers).toBe(0);
  });

  test('of a gateway that never saw the connection does not run, and ends all the same', () => {
    const setting = new Setting();
    setting.hooks.forgo(CHAT);
    setting.add(CHAT);
    setting.add(NEWS);
    setting.hooks.seal();
    expect(setting.log).toEqual(['News', 'gone']);
    expect(setting.tally).toMatchObject({ running: 0, ended: 2 });
  });

  test('waits for what it must follow, and no other waits with it', () => {
    const setting = new Setting();
    setting.busy.set(CHAT, 'handleConnection of Chat').set(NEWS, 'handlers');
    setting.add(CHAT);
    setting.add(NEWS);
    setting.hooks.seal();
    expect(setting.log).toEqual([]);
    setting.busy.delete(NEWS);
    setting.hooks.review();
    expect(setting.log).toEqual(['News']);
    setting.busy.delete(CHAT);
    setting.hooks.review();
    setting.hooks.review();
    expect(setting.log).toEqual(['News', 'Chat', 'gone']);
    expect(setting.clock.pendingTimers).toBe(0);
  });

  test('waits no longer than patience lasts, which is told', () => {
    const setting = new Setting();
    setting.busy.set(CHAT, 'handleConnection of Chat').set(NEWS, 'the last of 2 handlers');
    setting.add(CHAT);
    setting.add(NEWS);
    setting.hooks.seal();
    setting.clock.advance(999);
    expect(setting.log).toEqual([]);
    setting.clock.advance(1);
    expect(setting.log).toEqual([
      expect.stringContaining(
        'hook-timeout: handleDisconnect of Chat begins though handleConnection of Chat has not ended within 1000 ms',
      ),
      expect.stringContaining('though the last of 2 handlers has not ended'),
      'Chat',
      'News',
      'gone',
    ]);
    expect(setting.clock.pendingTimers).toBe(0);
  });

  test('is waited for until its promise has settled, and one that never does keeps it from going', async () => {
    const setting = new Setting();
    const gate = deferred();
    setting.add(CHAT, gate.promise);
    setting.add(NEWS, new Promise(() => {}));
    setting.hooks.seal();
    expect(setting.tally.names).toBe('handleDisconnect of Chat, handleDisconnect of News');
    gate.resolve();
    await microtasks();
    expect(setting.tally.names).toBe('handleDisconnect of News');
    expect(setting.log).toEqual(['Chat', 'News']);
  });

  test('that comes after another has waited has a patience of its own', () => {
    const setting = new Setting();
    setting.busy.set(CHAT, 'handlers');
    setting.add(CHAT);
    setting.add(CHAT);
    setting.busy.delete(CHAT);
    setting.hooks.review();
    setting.busy.set(NEWS, 'handlers');
    setting.add(NEWS);
    setting.clock.advance(1_000);
    expect(setting.log.at(-1)).toBe('News');
  });
});
