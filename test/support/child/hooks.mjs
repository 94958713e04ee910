// Module hooks (see register.mjs): what jest.config.js does for tests, done for a bare node.
import { transformSync } from '@swc/core';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NEST_11 = new URL('../../nest-11/package.json', import.meta.url).href;

export function resolve(specifier, context, next) {
  if (process.env.NEST === '11' && specifier.startsWith('@nestjs/')) {
    return next(specifier, { ...context, parentURL: NEST_11 });
  }
  if (specifier.startsWith('.') && specifier.endsWith('.js')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return next(source.href, context);
  }
  return next(specifier, context);
}

export function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    sourceMaps: 'inline',
  });
  return { format: 'module', source: code, shortCircuit: true };
}
