import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Workers, and the programs of test/support that they start, find their code compiled.
process.env.NODE_COMPILE_CACHE ??= resolve('build/compile-cache');

/** They put both processors to work, and ask for answers meanwhile: one at a time, when all others are over. */
const LOAD = [
  'test/gateway/downstream/fair-shares.test.ts',
  'test/gateway/downstream/h2spec.test.ts',
  'test/gateway/downstream/slow-http.test.ts',
  'test/tunnel/many-visitors.test.ts',
  'test/tunnel/relay/relay.test.ts',
  'test/tunnel/storm.test.ts',
];

/** Those that take longest, mostly waiting, longest first. */
const LONG = [
  'test/e2e/failures.test.ts',
  'test/tunnel/faults-control.test.ts',
  'test/e2e/several-servers.test.ts',
  'test/app/os/os.test.ts',
  'test/demo/story.test.ts',
  'test/e2e/lifetime.test.ts',
  'test/e2e/documented.test.ts',
  'test/e2e/recipes.test.ts',
  'test/e2e/npm-package.test.ts',
  'test/tunnel/soak.test.ts',
  'test/e2e/access.test.ts',
  'test/exposure/exposure.test.ts',
  'test/self-host/nginx.test.ts',
  'test/self-host/haproxy.test.ts',
  'test/self-host/caddy.test.ts',
  'test/doctor/machines.test.ts',
  'test/self-host/kubernetes-pods.test.ts',
  'test/e2e/deaths.test.ts',
  'test/gateway/scanners.test.ts',
  'test/faithful/websocket-conformance.test.ts',
  'test/e2e/outages.test.ts',
  'test/e2e/stable-address.test.ts',
  'test/e2e/events.test.ts',
  'test/supervisor/github-faults.test.ts',
  'test/github/comment/comment-writer.test.ts',
  'test/faithful/answers.test.ts',
  'test/app/os/os-traffic.test.ts',
  'test/tunnel/leaks.test.ts',
  'test/tunnel/retry/placement.test.ts',
  'test/app/os/page-host/page-host.test.ts',
  'test/tunnel/session-fuzz.test.ts',
  'test/gateway/downstream/random-visitors.test.ts',
];

/** Long ones begun first leave no worker with one of them when all the others are over. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONG.findIndex(file => moduleId.endsWith(`/${file}`));
      return index < 0 ? LONG.length : index;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

// Tests start real servers, processes and browsers, and mostly wait for them: more files at a time than processors.
// The time limits only stop a test that hangs; no test asserts speed.
export default defineConfig({
  test: {
    setupFiles: ['test/support/fixed-seed.ts', 'test/support/check-github.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongFirst },
    // The report is what .ci/run counts.
    reporters: ['default', ['json', { outputFile: 'build/test-report.json' }]],
    projects: [
      { extends: true, test: { name: 'rest', include: ['test/**/*.test.ts'], exclude: LOAD, maxWorkers: 6 } },
      { extends: true, test: { name: 'load', include: LOAD, fileParallelism: false } },
    ],
  },
});
