// Several runs and jobs of one pull request: which comments there are, and what each shows at the end.

import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { readMarker } from '../../src/github/comment/marker.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ask, createPreview, goLive, type Preview, SECRET, startHold } from './job-rig.ts';

const HOST = '127.0.0.251';

let github: GitHubServer;

interface Step {
  run: number;
  attempt?: number;
  job?: string;
  matrix?: object;
  hold?: string;
}

/** A job of the pull request; its app says which one it is. */
function createJob({ run, attempt = 1, job = 'preview', matrix, hold = 'false' }: Step): Promise<Preview> {
  const known = github.state.runs[run];
  const before = typeof known === 'object' ? (known.attempt ?? 1) : 0;
  github.state.runs[run] = { attempt: Math.max(attempt, before), status: 'in_progress' };
  const inputs = { server: HOST, secret: SECRET, hold, matrix: JSON.stringify(matrix ?? null) };
  const environment = {
    GITHUB_RUN_ID: `${run}`,
    GITHUB_RUN_ATTEMPT: `${attempt}`,
    GITHUB_JOB: job,
  };
  const files = { 'index.html': `${job} of run ${run}.${attempt}` };
  return createPreview(inputs, files, environment, undefined, { private: false }, github);
}

/** What each comment says: its title, and which run wrote it. In the order of the thread. */
function readComments(): string[] {
  return github.state.comments.map(({ body }) => {
    const { runId, runAttempt } = readMarker(body) ?? {};
    return `${/Preview (`.*)/.exec(body)?.[1]?.replaceAll('`', '')}, run ${runId}.${runAttempt}`;
  });
}

/** The answers behind the links of all comments, in the order of the thread. */
async function openLinks(): Promise<string[]> {
  const links = github.state.comments.map(({ body }) => /\(<(http:[^>]+)>\)\*\*/.exec(body)?.[1]);
  return Promise.all(links.map(link => (link === undefined ? 'no link' : ask(link))));
}

/** Resolves when these are the comments, in any order. */
const shows = (...comments: string[]) =>
  waitUntil(
    () => readComments().sort().join('; ') === comments.sort().join('; '),
    `comments say ${comments.join('; ')}`,
  ).catch(error => {
    throw new Error(`${error}; they say ${readComments().join('; ')}`);
  });

describeWithReal(['bore'], 'the comments of one pull request', () => {
  beforeEach(async () => {
    github = await startGitHubServer({ repository: 'octo/app' });
    onTestFinished(() => github.stop());
    await startRealServer(HOST, { secret: SECRET });
  });

  it('show the newer of two runs that overlap, also after the older one has ended or was cancelled', async () => {
    const [older, cancelled] = [await createJob({ run: 100 }), await createJob({ run: 150, hold: '10m' })];
    await goLive(older);
    await startHold(cancelled);
    const newer = await createJob({ run: 200 });
    await goLive(newer);
    await shows('preview is live, run 200.1');
    await older.job.post();
    cancelled.job.signal('SIGINT');
    await cancelled.job.finished();
    await cancelled.job.post();
    expect(readComments()).toEqual(['preview is live, run 200.1']);
    expect(await openLinks()).toEqual(['preview of run 200.1']);
    await newer.job.post();
    expect(readComments()).toEqual(['preview has ended, run 200.1']);
  });

  it('show a new attempt of an older run, because it is alive', async () => {
    for (const run of [100, 200]) {
      const preview = await createJob({ run });
      await goLive(preview);
      await preview.job.post();
    }
    expect(readComments()).toEqual(['preview has ended, run 200.1']);
    const again = await createJob({ run: 100, attempt: 2 });
    await goLive(again);
    await shows('preview is live, run 100.2');
    expect(await openLinks()).toEqual(['preview of run 100.2']);
    await again.job.post();
    expect(readComments()).toEqual(['preview has ended, run 100.2']);
  });

  it('are one for each job and for each leg of a matrix, in each run the same', async () => {
    const names = ['docs', 'shop', 'test (a)', 'test (b)', 'test (c)'];
    const legs = [{ os: 'a' }, { os: 'b' }, { os: 'c' }];
    for (const run of [100, 200]) {
      const jobs = await Promise.all([
        createJob({ run, job: 'docs' }),
        createJob({ run, job: 'shop' }),
        ...legs.map(matrix => createJob({ run, job: 'test', matrix })),
      ]);
      await Promise.all(jobs.map(goLive));
      await shows(...names.map(name => `${name} is live, run ${run}.1`));
      const said = ['docs', 'shop', 'test', 'test', 'test'].map(job => `${job} of run ${run}.1`);
      expect((await openLinks()).sort()).toEqual(said);
      await Promise.all(jobs.map(({ job }) => job.post()));
      expect(readComments().sort()).toEqual(names.map(name => `${name} has ended, run ${run}.1`));
    }
  });

  it('are one for each call of a workflow that is called twice, and the second call says what to write', async () => {
    for (const run of [100, 200]) {
      const calls = [await createJob({ run }), await createJob({ run })];
      await Promise.all(calls.map(goLive));
      await shows(`preview is live, run ${run}.1`, `preview (2) is live, run ${run}.1`);
      expect(new Set(await openLinks())).toEqual(new Set([`preview of run ${run}.1`]));
      expect(new Set(calls.map(({ job }) => job.outputs.url)).size).toBe(2);
      const ends = await Promise.all(calls.map(({ job }) => job.post()));
      expect(readComments().sort()).toEqual([
        `preview (2) has ended, run ${run}.1`,
        `preview has ended, run ${run}.1`,
      ]);
      const warned = ends.filter(({ log }) =>
        /::warning.*this run has 2 previews of the same name/.test(log),
      );
      expect(warned).toHaveLength(1);
    }
  });

  it('say that a killed run has ended as soon as another job of the workflow runs', async () => {
    const killed = await createJob({ run: 100, job: 'gone' });
    await goLive(killed);
    await shows('gone is live, run 100.1');
    for (const { pid } of killed.processes()) process.kill(pid, 'SIGKILL');
    github.state.runs[100] = { status: 'completed' };
    await goLive(await createJob({ run: 200 }));
    await shows('gone has ended, run 100.1', 'preview is live, run 200.1');
  });
});
