import { beforeAll, describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as websockets from '@nestjs/websockets';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import * as library from '../../src/index.js';
import { DEFAULT_SHUTDOWN } from '../../src/nest/shutdown.values.js';
import { DEFAULT_POLICY } from '../../src/runtime/connection.policy.js';
import { afterTest } from '../support/cleanup.js';
import { WsClient } from '../support/clients/ws.client.js';
import { run, typeErrorsOf } from './compiler.js';
import { allPages, readPage, ROOT, snippet, snippetsOf, tableAfter } from './pages.js';

const README = readPage('README.md');

test('every TypeScript block of the docs compiles', () => {
  const snippets = allPages().flatMap(snippetsOf);
  expect(snippets.length).toBeGreaterThan(8);
  expect(typeErrorsOf(snippets)).toEqual([]);
}, 120_000);

test('a block that does not compile is found, with its page and line', () => {
  const code = "const one: number = 1;\nconst two: number = 'two';\n";
  const broken = {
    page: 'page.md',
    line: 10,
    name: undefined,
    given: 'declare const x: 1;\n',
    code,
  };
  expect(typeErrorsOf([broken])).toEqual([
    "page.md:11: Type 'string' is not assignable to type 'number'.",
  ]);
}, 120_000);

describe('the quick start of the README', () => {
  let app: INestApplication;

  beforeAll(() => {
    expect(snippet('README.md', 'quick-start').code).toContain('await app.listen(3000);');
  });

  test('runs as it stands, and answers on a socket', async () => {
    const quickStart = snippet('README.md', 'quick-start');
    const create = async (
      ...args: Parameters<typeof core.NestFactory.create>
    ): Promise<unknown> => {
      app = await core.NestFactory.create(args[0], { logger: false });
      afterTest(() => app.close());
      return app;
    };
    await run(
      { ...quickStart, code: quickStart.code.replace('listen(3000)', 'listen(0)') },
      {
        '@nestjs/common': common,
        '@nestjs/core': { ...core, NestFactory: { create } },
        '@nestjs/websockets': websockets,
        'nestjs-safe-close': library,
      },
    );
    const { port } = app.getHttpServer().address() as AddressInfo;
    const client = await WsClient.connect(`ws://127.0.0.1:${port}`);
    client.text('{"event":"echo","data":"hello"}');
    expect(await client.messages.at(0, 'reply')).toBe('{"event":"echo","data":"hello"}');
    const { connections } = app.get(library.SafeCloseService);
    expect(connections.size).toBe(1);
  });
});

describe('the tables of the README', () => {
  /** `a.b` of every default, as JavaScript writes it. */
  const defaults = Object.entries({ ...DEFAULT_POLICY, shutdown: DEFAULT_SHUTDOWN }).flatMap(
    ([group, values]) =>
      Object.entries(values as object).map(([name, value]) => [
        `${group}.${name}`,
        value as unknown,
      ]),
  );

  const options = tableAfter('## Options', README).map(([option, byDefault]) => [
    option!.replaceAll('`', ''),
    byDefault!.replaceAll('`', ''),
  ]);

  test('list every option of a policy, with its default', () => {
    const ofModule = ['send.maxTotalBuffered'];
    const listed = options
      .filter(([option, byDefault]) => option!.includes('.') && byDefault !== 'none')
      .filter(([option]) => !ofModule.includes(option!))
      .map(([option, byDefault]) => [
        option,
        JSON.parse(byDefault!.replaceAll('_', '').replaceAll("'", '"')) as unknown,
      ]);
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(defaults));
  });

  test('list every option that has no default', () => {
    const unset = [
      ...['maxPerIdentity', 'maxAge', 'expiresAt'].map((name) => `session.${name}`),
      ...['messagesPerSecond', 'maxConnections', 'maxConnectionsPerIp'].map(
        (name) => `limits.${name}`,
      ),
      'send.onUnacknowledged',
    ];
    const listed = options.filter(
      ([option, byDefault]) => option!.includes('.') && byDefault === 'none',
    );
    expect(listed.map(([option]) => option)).toEqual(
      expect.arrayContaining([...unset, 'shutdown.preset']),
    );
  });

  test('list every option of the module', () => {
    const source = readFileSync(join(ROOT, 'src/nest/safe-close.options.ts'), 'utf8');
    const [, body] = /interface SafeCloseOptions [^{]*\{([\s\S]*?)\n\}/.exec(source)!;
    const declared = [...body!.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name]) => name);
    expect(declared).not.toHaveLength(0);
    const listed = options.map(([option]) =>
      option!.replace(/^(shutdown|send|limits)\..*/, (_, group: string) => group),
    );
    expect(new Set(listed.filter((option) => !option.includes('.')))).toEqual(new Set(declared));
  });

  test('list every member of the service', () => {
    const listed = tableAfter('## API', README).map(([member]) => /^`(\w+\$?)/.exec(member!)![1]!);
    const { prototype } = library.SafeCloseService;
    const methods = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
    expect(new Set(listed)).toEqual(new Set([...methods, 'connections', 'drain$', 'events$']));
  });
});

test('every link and every path of a test in the docs leads somewhere', () => {
  const missing = allPages().flatMap(({ path, text }) => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, link]) =>
      join(dirname(path), link!),
    );
    const paths = [...text.matchAll(/`((?:test|examples|src|scripts)\/[\w./-]+)`/g)].map(
      ([, name]) => name!,
    );
    return [...links, ...paths]
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${path}: ${target}`);
  });
  expect(missing).toEqual([]);
});

/** The anchor that GitHub makes of a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-');
}

test('every anchor in the docs is a heading of its page', () => {
  const missing = allPages().flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)].flatMap(([, link, anchor]) => {
      const page = link === '' ? path : join(dirname(path), link!);
      const headings = [...readPage(page).text.matchAll(/^#+ (.+)$/gm)].map(([, text_]) => text_!);
      return headings.some((heading) => slug(heading) === anchor)
        ? []
        : [`${path}: ${page}#${anchor}`];
    }),
  );
  expect(missing).toEqual([]);
});

test('npm scripts that the docs name exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = allPages().flatMap(({ text }) =>
    [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!),
  );
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
