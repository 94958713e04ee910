// Native ESM through swc: run jest with `--experimental-vm-modules` (see scripts/jest.mjs).
//   NEST=11   the same tests on the Nest 11 packages of test/nest-11
//   SOAK=1    the long-running tests of test/soak, which are left out otherwise
import { availableParallelism } from 'node:os';

const nest11 = process.env.NEST === '11';
const soak = process.env.SOAK === '1';

const NEST_PACKAGES =
  'common|core|websockets|platform-ws|platform-express|platform-fastify|terminus|testing';

// Most tests wait for sockets more than they compute: with jest's own figure, one less than there
// are cores, two cores took 290 s for what two workers do in 127.
const maxWorkers = Math.max(2, availableParallelism() - 1);

/** @type {import('jest').Config} */
export default {
  displayName: nest11 ? 'nest 11' : 'nest 12',
  testEnvironment: 'node',
  maxWorkers,
  testMatch: [soak ? '<rootDir>/test/soak/**/*.spec.ts' : '<rootDir>/test/**/*.spec.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    ...(soak ? [] : ['<rootDir>/test/soak/']),
    // They know no Nest.
    ...(nest11
      ? ['<rootDir>/test/core/', '<rootDir>/test/runtime/', '<rootDir>/test/simulation/']
      : []),
  ],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.stryker-tmp/'],
  setupFilesAfterEnv: ['<rootDir>/test/setup.ts'],
  testTimeout: 20_000,
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^nestjs-safe-close$': '<rootDir>/src/index.ts',
    '^nestjs-safe-close/(\\w+)$': '<rootDir>/src/$1/index.ts',
    ...(nest11 && {
      [`^@nestjs/(${NEST_PACKAGES})(/.*)?$`]: '<rootDir>/test/nest-11/node_modules/@nestjs/$1$2',
    }),
  },
  // v8 reported branches as covered that were not.
  coverageProvider: 'babel',
};
