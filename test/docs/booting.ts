import * as common from '@nestjs/common';
import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import * as core from '@nestjs/core';
import * as platform from '@nestjs/platform-ws';
import * as terminus from '@nestjs/terminus';
import * as websockets from '@nestjs/websockets';
import * as events from 'node:events';
import type { AddressInfo } from 'node:net';
import * as timers from 'node:timers/promises';
import * as rxjs from 'rxjs';
import * as library from '../../src/index.js';
import * as libraryOfTerminus from '../../src/terminus/index.js';
import { afterTest } from '../support/cleanup.js';
import { run } from './compiler.js';
import { snippet } from './pages.js';

/** What a snippet may import: the copies that this test uses, too. */
export const MODULES = {
  '@nestjs/common': common,
  '@nestjs/core': core,
  '@nestjs/platform-ws': platform,
  '@nestjs/websockets': websockets,
  'node:events': events,
  'node:timers/promises': timers,
  '@nestjs/terminus': terminus,
  rxjs,
  'nestjs-safe-close': library,
  'nestjs-safe-close/terminus': libraryOfTerminus,
};

/** The classes and values that a snippet exports. */
export async function exportsOf(page: string, name: string): Promise<Record<string, Type>> {
  return (await run(snippet(page, name), MODULES)) as Record<string, Type>;
}

export interface Booted {
  readonly app: INestApplication;
  readonly url: string;
  readonly service: library.SafeCloseService;
}

/** Boots an app of these parts, and closes it after the test. */
export async function boot(
  parts: ModuleMetadata,
  prepare: (app: INestApplication) => void = () => {},
): Promise<Booted> {
  @common.Module(parts)
  class DocsModule {}

  const app = await core.NestFactory.create(DocsModule, { logger: false });
  afterTest(() => app.close());
  prepare(app);
  await app.listen(0);
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, url: `ws://127.0.0.1:${port}`, service: app.get(library.SafeCloseService) };
}
