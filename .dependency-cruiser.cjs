// Imports only point down: core ← runtime ← ws ← nest ← subpath entries. `npm run check:boundaries`
// checks each import of src against the one list of its folder; types count too.

const BUILTIN = ['core']; // what dependency-cruiser calls Node's own modules
const WS = '^node_modules/(@types/)?ws/';
const NEST = '^node_modules/@nestjs/(common|core|websockets|platform-ws)/';
const RXJS = '^node_modules/rxjs/';

// What a subpath entry needs beyond Nest, which is an optional peer of the package.
const SUBPATH_PEERS = {
  testing: [],
  prometheus: [],
  redis: [],
  dashboard: [],
};
const SUBPATHS = Object.keys(SUBPATH_PEERS);

/** @returns a rule: `folder` imports nothing but itself and what is listed */
function layer(folder, { paths = [], builtins = false, comment }) {
  return {
    name: `${folder}-imports`,
    comment,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: {
      pathNot: [`^src/${folder}/`, ...paths],
      ...(builtins && { dependencyTypesNot: BUILTIN }),
    },
  };
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    layer('core', { comment: 'The core is pure: no Nest, ws, rxjs, Node, timers, clock.' }),
    layer('runtime', {
      comment: 'The runtime knows the core and Node, behind ports. No Nest, ws or rxjs.',
      paths: ['^src/core/'],
      builtins: true,
    }),
    layer('ws', {
      comment: 'The binding to ws holds no policy and knows no Nest.',
      paths: ['^src/(core|runtime)/', WS],
      builtins: true,
    }),
    layer('nest', {
      comment: 'Nest, rxjs and everything below; only the packages that are peers.',
      paths: ['^src/(core|runtime|ws)/', WS, NEST, RXJS, '^node_modules/reflect-metadata/'],
      builtins: true,
    }),
    ...SUBPATHS.map((subpath) =>
      layer(subpath, {
        comment: 'A subpath entry imports what is below it and its own optional peers.',
        paths: ['^src/(core|runtime|ws|nest)/', WS, NEST, RXJS, ...SUBPATH_PEERS[subpath]],
        builtins: true,
      }),
    ),
    {
      name: 'subpaths-are-leaves',
      comment: 'Their libraries are optional peers: nothing else may load them.',
      severity: 'error',
      from: { path: '^src/([^/]+)' },
      to: { path: `^src/(${SUBPATHS.join('|')})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'index-re-exports',
      comment: 'The main entry only names what the folders export.',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { pathNot: '^src/(core|runtime|ws|nest)/' },
    },
    {
      name: 'index-is-the-top',
      comment: 'Import from the file that defines the name.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index\\.ts$' },
    },
  ],
  options: {
    tsPreCompilationDeps: true, // `import type` is an import, too
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
