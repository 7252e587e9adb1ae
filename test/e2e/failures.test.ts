// What people are told when it does not work: every failure through the built action, against real bore servers and
// servers that are none. The message, the exit code, the comment, and that nothing is left behind.

import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Behaviour, flood, reply, startBadBoreServer, stayMute } from '../support/bad-bore-server.ts';
import { type GitHubServer, startGitHubServer } from '../support/github-server.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { startReleasesServer } from '../support/releases-server.ts';
import { RunnerJob } from '../support/runner.ts';
import { isRunning } from '../support/running.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';
import { startRealServer } from '../tunnel/rig.ts';

const SECRET = 'a-secret-of-the-bore-server';
const PULL_REQUEST = {
  number: 7,
  state: 'open' as const,
  head: { sha: 'a'.repeat(40), repo: { full_name: 'octo/app' } },
};
const MUTE_HELLO = '{"Challenge":"00000000-0000-4000-8000-000000000000"}\0';

let github: GitHubServer;
beforeEach(async () => {
  github = await startGitHubServer({ repository: 'octo/app', pulls: [PULL_REQUEST] });
});
afterEach(() => github.stop());

interface Failure {
  /** The step's log, main's part. */
  log: string;
  /** What stands in the annotations of that kind, line breaks as they are shown. */
  errors: string[];
  warnings: string[];
  code: number | null;
  outputs: Record<string, string>;
  comment: string | undefined;
}

interface Scene {
  environment?: Record<string, string>;
  /** Fills the workspace. */
  prepare?: (workspace: string) => void;
}

/** Runs main and post of a job, and checks what holds for every failure: nothing left, no secret said. */
async function run(inputs: Record<string, string>, scene: Scene = {}): Promise<Failure> {
  const job = new RunnerJob({
    inputs: { 'github-token': github.state.token, ...inputs },
    eventName: 'pull_request',
    event: { pull_request: PULL_REQUEST, repository: { private: false } },
    apiUrl: github.url,
    ...(scene.environment && { environment: scene.environment }),
  });
  onTestFinished(() => job.remove());
  cpSync(resolve('examples/web-hello'), join(job.workspace, 'site'), { recursive: true });
  scene.prepare?.(job.workspace);
  const main = await job.main();
  const pids = listJournal(job);
  const post = await job.post();
  expect(post.code).toBe(0);
  expect(readdirSync(job.temp)).toEqual([]);
  expect(pids.filter(isRunning)).toEqual([]);
  const comment = github.state.comments[0]?.body;
  const said = [main.log, post.log, job.summary, JSON.stringify(github.requests)].join('\n');
  if (process.env.SHOW_LOGS) console.log(`${main.log}\n--- post ---\n${post.log}\n--- comment ---\n${comment}`);
  expect(said.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(SECRET);
  expect(said).not.toMatch(/^\s+at \S.*:\d+:\d+/m);
  return {
    log: main.log,
    errors: readAnnotations(main.log, 'error'),
    warnings: readAnnotations(main.log, 'warning'),
    code: main.code,
    outputs: job.outputs,
    comment,
  };
}

function listJournal(job: RunnerJob): number[] {
  return readdirSync(job.temp).flatMap(session =>
    readFileSync(join(job.temp, session, 'journal'), 'utf8')
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { pid: number }).pid),
  );
}

function readAnnotations(log: string, kind: 'error' | 'warning'): string[] {
  return [...log.matchAll(new RegExp(`^::${kind}::(.*)$`, 'gm'))].map(([, text = '']) =>
    text.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%'),
  );
}

/** A red step with that message as its only error, and a comment that says the same. */
function expectFailed(failure: Failure, message: RegExp): void {
  expect(failure.errors).toEqual([expect.stringMatching(message)]);
  expect(failure.code).toBe(1);
  expect(failure.outputs.status).toBe('Failed');
  expect(failure.comment).toContain('failed');
  const [reason = ''] = failure.errors[0]?.split('\n') ?? [];
  expect(unquote(failure.comment ?? '')).toContain(unquote(reason));
}

/** Without what Markdown makes of a text. */
function unquote(text: string): string {
  return text.replaceAll(/[`\\]/g, '');
}

const SITE = { path: 'site', mode: 'web' };

describeWithReal(['bore'], 'a tunnel that cannot be opened', () => {
  it('names the secret where it is wrong', async () => {
    await startRealServer('127.0.0.50', { secret: 'another-secret' });
    expectFailed(
      await run({ ...SITE, server: '127.0.0.50', secret: SECRET }),
      /^127\.0\.0\.50:7835 refused the secret: `secret` must be/,
    );
  });

  it('asks for the secret where it is missing', async () => {
    await startRealServer('127.0.0.51', { secret: SECRET });
    expectFailed(
      await run({ ...SITE, server: '127.0.0.51' }),
      /^the server 127\.0\.0\.51:7835 requires a secret: set the `secret` input$/,
    );
  });

  it('says that a secret is not needed', async () => {
    await startRealServer('127.0.0.52');
    expectFailed(
      await run({ ...SITE, server: '127.0.0.52', secret: SECRET }),
      /^the server 127\.0\.0\.52:7835 asks for no secret, but one was given/,
    );
  });

  it('names the range where the port is outside of it', async () => {
    await startRealServer('127.0.0.53', { secret: SECRET, minPort: 20_000, maxPort: 20_100 });
    expectFailed(
      await run({ ...SITE, server: '127.0.0.53', secret: SECRET, 'remote-port': '30000' }),
      /^127\.0\.0\.53:7835 does not give out port 30000: .*--min-port and --max-port/,
    );
  });

  it('names the port where it stays in use', async () => {
    await startRealServer('127.0.0.54', { secret: SECRET });
    const other = createServer().listen(20_154, '127.0.0.54');
    onTestFinished(() => void other.close());
    expectFailed(
      await run({ ...SITE, server: '127.0.0.54', secret: SECRET, 'remote-port': '20154' }),
      /^port 20154 of 127\.0\.0\.54 is in use: wait for .* or choose another `remote-port`$/,
    );
  });
});

describe('a server that is no bore server', () => {
  const answerAsHttp = reply('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
  const lie: Behaviour = reply('{"Hello":25001}\0');
  it.each<[string, Behaviour, Record<string, string>, RegExp]>([
    ['that speaks HTTP', answerAsHttp, {}, /does not answer like a bore server \(it says "HTTP\/1\.1 400/],
    ['that is silent', stayMute, {}, /does not answer like a bore server \(it accepts connections and says/],
    ['that floods', flood, {}, /does not answer like a bore server \(it says "A{59}…"\)/],
    ['that gives another port', lie, { 'remote-port': '25000' }, /answered with port 25001 instead of 25000/],
    ['that hangs after its challenge', socket => void socket.write(MUTE_HELLO), { secret: SECRET }, /./],
  ])('%s is told by name, with what to check', async (_, behave, inputs, message) => {
    const { address } = await startBadBoreServer(behave);
    const failure = await run({ ...SITE, server: `127.0.0.1:${address.port}`, ...inputs });
    expectFailed(failure, message);
    expect(failure.errors[0]).toContain('`server`');
  });

  it('that does not exist is told to be a typo', async () => {
    const failure = await run({ ...SITE, server: 'no-such-host.invalid', 'startup-timeout': '5s' });
    expectFailed(failure, /no-such-host\.invalid/);
  });

  it('that is not there is tried until startup-timeout, which repeats why', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise(done => closed.once('listening', done));
    const { port } = closed.address() as { port: number };
    await new Promise(done => closed.close(done));
    const failure = await run({ ...SITE, server: `127.0.0.1:${port}`, 'startup-timeout': '5s' });
    expectFailed(failure, /^not ready within 5s, the `startup-timeout`: could not reach .*ECONNREFUSED/);
  });
});
