import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Protocol } from './peer.js';
import type { Command, Handlers, Stack } from './server.js';

const SERVER_CORE = 0;
const GENERATOR_CORE = 1;

function pin(pid: number, core: number): void {
  try {
    execFileSync('taskset', ['-cp', String(core), String(pid)], { stdio: 'ignore' });
  } catch {
    // Without taskset, or that core, the scheduler decides; the ratios are still of one run.
  }
}

/** Keeps what generates the load off the core of the server. */
export function pinGenerator(): void {
  pin(process.pid, GENERATOR_CORE);
}

/** A server in a process of its own, pinned to one core where that can be done. */
export class BenchServer {
  private constructor(
    readonly stack: Stack,
    private readonly child: ChildProcess,
    readonly port: number,
    /** From the start of the process until it listens, in ms. */
    readonly startUpMs: number,
  ) {}

  static async start(stack: Stack, handlers: Handlers = 'all'): Promise<BenchServer> {
    const began = performance.now();
    const script = fileURLToPath(new URL('server.js', import.meta.url));
    const child = fork(script, [stack, handlers], { execArgv: ['--expose-gc'] });
    pin(child.pid!, SERVER_CORE);
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new BenchServer(stack, child, port, performance.now() - began);
  }

  get protocol(): Protocol {
    return this.stack === 'socket.io' ? 'socket.io' : 'ws';
  }

  tell(command: Command): void {
    this.child.send(command);
  }

  /** The next message that has `key`. */
  next<T>(key: string): Promise<T> {
    return new Promise((resolve) => {
      const hear = (message: Record<string, T>): void => {
        if (!(key in message)) return;
        this.child.off('message', hear);
        resolve(message[key]!);
      };
      this.child.on('message', hear);
    });
  }

  ask<T>(command: Command, key: string): Promise<T> {
    const answer = this.next<T>(key);
    this.tell(command);
    return answer;
  }

  /** Processor time spent so far, in user and system mode. */
  async cpuSeconds(): Promise<number> {
    const cpu = await this.ask<NodeJS.CpuUsage>({ do: 'cpu' }, 'cpu');
    return (cpu.user + cpu.system) / 1e6;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}
