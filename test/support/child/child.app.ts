import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ProcessEndedError } from '../losses.js';
import { deferred, Tally, within } from '../waiting.js';
import { PING, type FromChild } from './child.program.js';

const REGISTER = new URL('./register.mjs', import.meta.url).href;

/** An app in a process of its own, for races that end the process of a stock server. */
export class ChildApp {
  /** What the program has noted for the test. */
  readonly notes = new Tally<string>();
  #port = 0;
  #listening = deferred();
  #pong = deferred();
  readonly #exit = deferred<string>();
  /** The last lines that it wrote, for the one who finds out why it has ended. */
  #output = '';

  private constructor(private readonly child: ChildProcess) {
    child.on('message', (message: FromChild) => {
      if (message.type === 'note') this.notes.add(message.text);
      else if (message.type === 'pong') this.#pong.resolve();
      else {
        this.#port = message.port;
        this.#listening.resolve();
      }
    });
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-4_000);
    });
    // 'close' rather than 'exit', so that its last words have been read.
    child.on('close', (code, signal) => this.#exit.resolve(signal ?? `code ${code}`));
  }

  /** Starts a program of fixtures that calls `serve()`. */
  static async start(program: URL, env: Record<string, string> = {}): Promise<ChildApp> {
    const child = fork(fileURLToPath(program), [], {
      env: { ...process.env, ...env },
      execArgv: ['--import', REGISTER, '--enable-source-maps'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const app = new ChildApp(child);
    const ended = app.#exit.promise.then((how) => {
      throw new Error(`The program could not start (${how}):\n${app.#output}`);
    });
    await Promise.race([app.#listening.promise, ended]);
    return app;
  }

  url(path = '/'): string {
    return `ws://127.0.0.1:${this.#port}${path}`;
  }

  /** Waits for what happens while the process lives; its end loses the race. */
  async while<T>(happens: Promise<T>): Promise<T> {
    const ended = this.#exit.promise.then((how) => {
      const [reason] = /^\w*Error.*$/m.exec(this.#output) ?? [''];
      throw new ProcessEndedError(`The server's process ended with ${how}. ${reason}`);
    });
    return await Promise.race([happens, ended]);
  }

  /** Whether it still answers. */
  async alive(): Promise<void> {
    this.#pong = deferred();
    this.child.send(PING, () => {});
    await this.while(within(this.#pong.promise, 'an answer of the child process'));
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** How it ended: `code 0`, or the signal. */
  exited(): Promise<string> {
    return within(this.#exit.promise, 'the end of the child process');
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exit.promise;
  }
}
