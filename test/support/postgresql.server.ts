import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** Debian puts them where no PATH leads. */
const DEBIAN = '/usr/lib/postgresql';
/** Both have no rights; `initdb` refuses root. */
const UNPRIVILEGED = ['postgres', 'nobody'];

function folderOfBinaries(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted().toReversed() : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return folders.find((folder) =>
    ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))),
  );
}

function idOf(flag: '-u' | '-g', user: string): number | undefined {
  const { status, stdout } = spawnSync('id', [flag, user], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
}

/** Who the server runs as: this user, unless that is root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of UNPRIVILEGED) {
    const [uid, gid] = [idOf('-u', user), idOf('-g', user)];
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error(`initdb refuses root, and none of ${UNPRIVILEGED.join(', ')} is here.`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

/** A PostgreSQL of the tests' own, on a free port, that keeps nothing. */
export class PostgresqlServer {
  /** Why there is none here; `undefined`: there is one. */
  static missing(): string | undefined {
    return folderOfBinaries() ? undefined : 'no PostgreSQL (initdb, postgres) on PATH';
  }

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly url: string,
  ) {}

  static async start(): Promise<PostgresqlServer> {
    const binaries = folderOfBinaries();
    if (binaries === undefined) throw new Error(PostgresqlServer.missing());
    const user = unprivileged();
    const folder = mkdtempSync(join(tmpdir(), 'postgresql-'));
    if (user) chownSync(folder, user.uid, user.gid);
    const data = join(folder, 'data');
    const { status, error, stderr } = spawnSync(
      join(binaries, 'initdb'),
      ['-D', data, '-U', 'test', '--auth=trust', '--no-sync', '--no-locale', '-E', 'UTF8'],
      { ...user, cwd: folder, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`initdb: ${error?.message ?? stderr}`);
    const port = await freePort();
    const child = spawn(
      join(binaries, 'postgres'),
      ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F', '-N', '50'],
      { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await readiness(child);
    return new PostgresqlServer(child, folder, `postgres://test@127.0.0.1:${port}/postgres`);
  }

  async stop(): Promise<void> {
    // At once, whoever is connected.
    this.child.kill('SIGQUIT');
    await once(this.child, 'exit');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function readiness(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr! })) {
    lines.push(line);
    if (line.includes('ready to accept connections')) {
      child.stderr!.resume();
      return;
    }
  }
  throw new Error(`postgres ended:\n${lines.join('\n')}`);
}
