export default {
  packageManager: 'npm',
  mutate: ['src/core/**/*.ts'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--expose-gc'],
  jest: {
    configFile: 'jest.config.js',
    config: { testMatch: ['<rootDir>/test/core/*.spec.ts'] },
  },
  coverageAnalysis: 'perTest',
  ignorePatterns: ['build', 'dist', 'docs', 'examples', 'bench', 'coverage', 'test/nest-11'],
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  reporters: ['clear-text', 'progress', 'html'],
  htmlReporter: { fileName: 'reports/mutation/index.html' },
  thresholds: { high: 95, low: 90, break: 90 },
};
