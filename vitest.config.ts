import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The soak takes three minutes and little of the machine: begun first, it is over before the others are. */
class SoakFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isSoak = ({ moduleId }: TestSpecification) => moduleId.endsWith('/soak.test.ts');
    const sorted = await super.sort(files);
    return [...sorted.filter(isSoak), ...sorted.filter(file => !isSoak(file))];
  }
}

// Tests start real servers, processes and browsers: a few files at a time, and time enough on a busy machine.
// The time limits only stop a test that hangs; no test asserts speed.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/fixed-seed.ts'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: SoakFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The report is what .ci/run counts.
    reporters: ['default', ['json', { outputFile: 'build/test-report.json' }]],
  },
});
