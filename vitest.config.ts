import { defineConfig } from 'vitest/config';

// Tests start real servers, processes and browsers: a few files at a time, and time enough on a busy machine.
// The time limits only stop a test that hangs; no test asserts speed.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The report is what .ci/run counts.
    reporters: ['default', ['json', { outputFile: 'build/test-report.json' }]],
  },
});
