// Builds the package: dist/esm and dist/cjs, from the same sources.
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runTogether } from './run-together.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', { recursive: true, force: true });

const succeeded = await runTogether({
  esm: 'nest build esm',
  cjs: 'nest build cjs',
});

if (succeeded) {
  // The root package is "module": without this, Node would read dist/cjs as ES modules.
  writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');
} else {
  process.exitCode = 1;
}
