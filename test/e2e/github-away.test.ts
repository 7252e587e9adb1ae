// GitHub refuses, breaks off or is silent at every request of a whole run: the preview is there all the same, for later
// steps and for visitors, the step is green, and each feature warns once. Each single request is tried in
// test/supervisor/github-faults.test.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { type Fault, startGitHubServer } from '../../src/demo/github/server.ts';
import { HEAD, OWN_PULL, pullRequestEvent, pushEvent } from '../support/github-events.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { click } from '../support/reviewer.ts';
import { RunnerJob } from '../support/runner.ts';
import { isFull } from '../support/scale.ts';
import { launchRealServer } from '../support/tunnel-rig.ts';

const HOST = '127.0.0.195';
const EVERYTHING = { path: /./ };
const FORBIDDEN = { status: 403, message: 'Resource not accessible by integration' };

/** `nightly`: GitHub's silence takes 30 s before the step goes on without it, and a moment in post. */
const FAULTS: Record<string, { fault: Fault; nightly?: true }> = {
  'the token may do nothing': { fault: { ...EVERYTHING, ...FORBIDDEN } },
  'the token is revoked after two requests': {
    fault: { ...EVERYTHING, after: 2, status: 401, message: 'Bad credentials' },
  },
  'GitHub wants no request for an hour': {
    fault: { ...EVERYTHING, status: 429, message: 'slow down', headers: { 'retry-after': '3600' } },
  },
  'a load balancer answers': {
    fault: { ...EVERYTHING, status: 502, message: '', body: '<html><title>Bad Gateway</title></html>' },
    nightly: true,
  },
  'connections are cut': { fault: { ...EVERYTHING, does: 'cut' }, nightly: true },
  'GitHub is silent': { fault: { ...EVERYTHING, does: 'hang' }, nightly: true },
};

const EVENTS = {
  // Its pull request and the repository are looked up.
  push: pushEvent('refs/heads/change', HEAD),
  pull_request: pullRequestEvent('opened', OWN_PULL),
};

const RUNS = Object.entries(FAULTS)
  .filter(([, { nightly }]) => isFull || !nightly)
  .flatMap(([what, { fault }]) =>
    Object.values(EVENTS).map(event => ({ what, event, fault, name: event.eventName })),
  );

describeWithReal(['bore', 'provider-sdks'], 'a preview', () => {
  let server: Awaited<ReturnType<typeof launchRealServer>>;
  beforeAll(async () => {
    server = await launchRealServer(HOST);
  });
  afterAll(() => server.kill());

  it.concurrent.for(RUNS)(
    'of $name works although $what',
    { timeout: 180_000 },
    async ({ event, fault }, { expect, onTestFinished }) => {
      const github = await startGitHubServer({ pulls: [OWN_PULL], faults: [{ ...fault }] });
      const job = new RunnerJob({
        inputs: {
          server: HOST,
          path: 'site',
          access: 'open',
          deployment: 'true',
          'github-token': github.state.token,
        },
        eventName: event.eventName,
        event: { ...event.payload, repository: undefined },
        apiUrl: github.url,
        environment: { GITHUB_SHA: event.sha, GITHUB_REF: event.ref },
      });
      onTestFinished(async () => {
        await github.stop();
        job.remove();
      });
      mkdirSync(join(job.workspace, 'site'));
      mkdirSync(join(job.workspace, '.git'));
      writeFileSync(join(job.workspace, 'site', 'index.html'), 'the preview');
      writeFileSync(join(job.workspace, '.git', 'HEAD'), `${event.sha}\n`);

      const main = await job.main();
      expect(main.code).toBe(0);
      expect(job.outputs).toMatchObject({
        status: 'Connected',
        'preview-url': expect.stringMatching(/^http/),
      });
      const reviewer = await click(job.outputs['preview-url'] ?? '');
      expect(await (await reviewer.visit()).text()).toBe('the preview');
      const post = await job.post();
      expect(post.code).toBe(0);

      // Those that came after the step's own end are annotations of post.
      const shown = /^::warning(?: [^:]*)?::could not (\w+ \S+)/gm;
      const warnings = [...(main.log + post.log).matchAll(shown)].map(([, does]) => does);
      expect(github.requests.length).toBeGreaterThan(0);
      expect(warnings).not.toEqual([]);
      expect(warnings).toEqual([...new Set(warnings)]);
    },
  );
});
