import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterTest } from './cleanup.js';
import { Tally } from './waiting.js';

/** Debian's own comes first, as its packages are for that one alone. */
const python = ['/usr/bin/python3', 'python3'].find(
  (command) => spawnSync(command, ['-c', 'import websockets']).status === 0,
);

/**
 * Why tests with a client in Python are skipped; `undefined` where they are not. CI has to have it:
 * there they fail without it.
 */
export const noPython: string | undefined =
  python === undefined && process.env['CI'] !== 'true'
    ? 'Skipped: no python3 has the package websockets (on Debian: apt-get install python3-websockets).'
    : undefined;

/** A program in Python; what it prints are its notes, line by line. */
export class PythonProgram {
  readonly lines = new Tally<string>();
  #errors = '';

  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => this.lines.add(line));
    child.stderr!.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
  }

  static start(program: URL, ...args: string[]): PythonProgram {
    if (python === undefined) throw new Error('No python3 has the package websockets.');
    const child = spawn(python, ['-u', fileURLToPath(program), ...args]);
    const started = new PythonProgram(child);
    afterTest(() => void child.kill('SIGKILL'));
    return started;
  }

  get errors(): string {
    return this.#errors;
  }

  tell(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}
