import { Logger, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/**
 * Nest calls the start-up hooks of modules in the order of falling distance from the root module,
 * and the shutdown hooks in the order of rising distance. A global module has the greatest one, so
 * that its `onModuleDestroy` would come when a database is gone already.
 */
const LAST_DISTANCE = -1;

function distanceOf(modules: ModulesContainer, type: Type): number | undefined {
  return [...modules.values()].find(({ metatype }) => metatype === type)?.distance;
}

/** Must run before Nest calls the first hook, as it keeps the order. */
export function putLast(modules: ModulesContainer, type: Type): void {
  for (const module of modules.values()) {
    if (module.metatype === type) module.distance = LAST_DISTANCE;
  }
}

/** Says so where another module comes after ours at start-up, and so before it at shutdown. */
export function assertLast(modules: ModulesContainer, type: Type): void {
  const ours = distanceOf(modules, type);
  const others = [...modules.values()].filter(
    ({ metatype, distance }) => metatype !== type && (ours === undefined || distance <= ours),
  );
  if (others.length === 0) return;
  new Logger('SafeClose').warn(
    `onModuleDestroy of ${others.map(({ name }) => name).join(', ')} runs before connections are ` +
      'drained: handlers in flight may miss what it closes. Close it in onApplicationShutdown.',
  );
}
