// How large the package is, and how long it takes to load. Needs a build.
//
//   npm run bench:size
import { minify } from '@swc/core';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const PROCESSES = 15;

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { name, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync('package.json', 'utf8'),
);

const [packed] = JSON.parse(run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']));
const esm = packed.files.filter(({ path }) => path.startsWith('dist/esm/'));
console.log(`packed: ${bytes(packed.size)}, ${bytes(packed.unpackedSize)} unpacked`);
console.log(`dist/esm: ${bytes(sizeOf(esm, ''))} in ${esm.length} files`);
for (const ending of ['.js', '.d.ts', '.js.map']) {
  console.log(`  ${bytes(sizeOf(esm, ending))} of *${ending}`);
}

// Without a bundler each module is minified alone, so that a bundle of them is smaller than this.
const modules = modulesOf('dist/esm/index.js');
const code = modules.map((path) => readFileSync(path, 'utf8'));
const small = await Promise.all(code.map(minified));
console.log(`the main entry without its peers: ${modules.length} modules`);
console.log(`  ${bytes(code.join('').length)}, ${bytes(gzipped(code))} gzipped`);
console.log(`  minified ${bytes(small.join('').length)}, ${bytes(gzipped(small))} gzipped`);

const peers = Object.keys(peerDependencies).filter((peer) => !peerDependenciesMeta[peer]?.optional);
const times = Array.from({ length: PROCESSES }, () => timesOfLoading(peers));
const [peersMs, ownMs] = ['peers', 'own'].map((key) => median(times.map((each) => each[key])));
console.log(`import('${name}'): ${ownMs.toFixed(1)} ms`);
console.log(`  after its peers, which take ${peersMs.toFixed(0)} ms (medians of ${PROCESSES})`);

/** What the entry imports of its own, however far away. */
function modulesOf(entry) {
  const found = new Set([entry]);
  for (const path of found) {
    const imports = readFileSync(path, 'utf8').matchAll(/(?:from|import)\s*\(?'(\.[^']*)'/g);
    for (const [, specifier] of imports) found.add(join(dirname(path), specifier));
  }
  return [...found];
}

async function minified(source) {
  const { code: result } = await minify(source, {
    module: true,
    compress: { passes: 2 },
    mangle: { topLevel: true },
  });
  return result.replace(/\n?\/\/# sourceMappingURL=.*/, '');
}

function timesOfLoading(specifiers) {
  const script = `
    const start = performance.now();
    for (const peer of ${JSON.stringify(specifiers)}) await import(peer);
    const middle = performance.now();
    await import('${name}');
    console.log(JSON.stringify({ peers: middle - start, own: performance.now() - middle }));`;
  return JSON.parse(run(process.execPath, ['--input-type=module', '--eval', script]));
}

function run(command, commandArguments) {
  return execFileSync(command, commandArguments, { encoding: 'utf8' });
}

function sizeOf(files, ending) {
  return files.filter(({ path }) => path.endsWith(ending)).reduce((sum, { size }) => sum + size, 0);
}

function gzipped(sources) {
  return gzipSync(sources.join('\n'), { level: 9 }).length;
}

function bytes(count) {
  return `${count.toLocaleString('en')} B`;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
