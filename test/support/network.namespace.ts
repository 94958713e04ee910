import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterTest } from './cleanup.js';

/** Addresses for documentation (RFC 5737), which no machine has. */
const SUBNET = '203.0.113';

function ip(...args: string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/** Another host on this machine, at the end of a cable that can be cut. */
export class NetworkNamespace {
  readonly #name = `safe-close-${process.pid}`;
  readonly #near = `scn${process.pid}`;
  readonly #far = `scf${process.pid}`;
  readonly hostAddress = `${SUBNET}.1`;

  /** Why none can be made here, such as for want of rights; `undefined`: one can. */
  static missing(): string | undefined {
    try {
      const probe = new NetworkNamespace();
      probe.#lay();
      probe.#remove();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  static make(): NetworkNamespace {
    const made = new NetworkNamespace();
    made.#lay();
    afterTest(() => made.#remove());
    return made;
  }

  /** Runs a script of Node there; what it prints is read line by line. */
  run(script: string, ...args: string[]): ChildProcess {
    const child = spawn(
      'ip',
      ['netns', 'exec', this.#name, process.execPath, '--eval', script, ...args],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    afterTest(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    return child;
  }

  /** No packet passes any more, and nobody is told. */
  cut(): void {
    ip('link', 'set', this.#near, 'down');
  }

  #lay(): void {
    ip('netns', 'add', this.#name);
    try {
      ip('link', 'add', this.#near, 'type', 'veth', 'peer', 'name', this.#far);
      ip('link', 'set', this.#far, 'netns', this.#name);
      ip('addr', 'add', `${this.hostAddress}/24`, 'dev', this.#near);
      ip('link', 'set', this.#near, 'up');
      const inside = ['netns', 'exec', this.#name, 'ip'];
      ip(...inside, 'addr', 'add', `${SUBNET}.2/24`, 'dev', this.#far);
      ip(...inside, 'link', 'set', this.#far, 'up');
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  #remove(): void {
    spawnSync('ip', ['link', 'del', this.#near]);
    spawnSync('ip', ['netns', 'del', this.#name]);
  }
}
