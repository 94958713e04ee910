// Checks the package as users get it: packs it, then asks publint and attw about the tarball, and
// loads it from there both ways. Needs a build.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { name, exports } = JSON.parse(readFileSync('package.json', 'utf8'));

// Inside node_modules, so that the unpacked package finds its peers.
const folder = resolve('node_modules/.cache/check-package');
rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, 'node_modules', name), { recursive: true });

const [{ filename, files }] = JSON.parse(
  run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]),
);
const tarball = join(folder, filename);

const allowed = /^(dist\/(esm|cjs)\/|README\.md$|LICENSE$|package\.json$)/;
const strays = files.map(({ path }) => path).filter((path) => !allowed.test(path));
if (strays.length > 0) fail(`The package holds files that it should not: ${strays.join(', ')}`);

run('npx', ['publint', '--strict', tarball]);
run('npx', ['attw', '--profile', 'node16', tarball]);

// `require` and `import` must give one and the same class: Nest injects by identity.
run('tar', ['-xzf', tarball, '-C', join(folder, 'node_modules', name), '--strip-components=1']);
const subpaths = Object.keys(exports).filter((path) => path !== './package.json');
const probe = join(folder, 'probe.mjs');
writeFileSync(
  probe,
  `import 'reflect-metadata';
   import { createRequire } from 'node:module';
   const require = createRequire(import.meta.url);
   for (const specifier of process.argv.slice(2)) {
     const required = require(specifier);
     const imported = await import(specifier);
     const names = Object.keys(imported).filter((key) => key !== 'default');
     if (names.length === 0) throw new Error(specifier + ' exports nothing');
     const different = names.filter((key) => required[key] !== imported[key]);
     if (different.length > 0) {
       throw new Error(specifier + ': require and import differ in ' + different.join(', '));
     }
   }`,
);
run(process.execPath, [probe, ...subpaths.map((subpath) => posix.join(name, subpath))]);
rmSync(folder, { recursive: true });
console.log(`${filename}: ${files.length} files, publint, attw and both ways of loading agree`);

function run(command, commandArguments) {
  const { status, stdout, stderr } = spawnSync(command, commandArguments, { encoding: 'utf8' });
  if (status !== 0) fail(`${command} ${commandArguments.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
