import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command, Stack } from './server.js';

function pin(child: ChildProcess): void {
  try {
    execFileSync('taskset', ['-cp', '0', String(child.pid)], { stdio: 'ignore' });
  } catch {
    // Without taskset the scheduler decides; the ratios are still of one run.
  }
}

/** A server in a process of its own, pinned to one core where that can be done. */
export class BenchServer {
  private constructor(
    readonly stack: Stack,
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(stack: Stack): Promise<BenchServer> {
    const child = fork(fileURLToPath(new URL('server.js', import.meta.url)), [stack]);
    pin(child);
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new BenchServer(stack, child, port);
  }

  tell(command: Command): void {
    this.child.send(command);
  }

  async next(): Promise<unknown> {
    const [message] = (await once(this.child, 'message')) as [unknown];
    return message;
  }

  ask(command: Command): Promise<unknown> {
    const answer = this.next();
    this.tell(command);
    return answer;
  }

  /** Processor time spent so far, in user and system mode. */
  async cpuSeconds(): Promise<number> {
    const { cpu } = (await this.ask({ do: 'cpu' })) as { cpu: NodeJS.CpuUsage };
    return (cpu.user + cpu.system) / 1e6;
  }

  stop(): void {
    this.child.kill();
  }
}
