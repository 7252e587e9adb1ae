// Every failure through the built action, against real bore servers and servers that are not bore: the message, the
// exit code, the comment, and that nothing is left behind.

import { chmodSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { readJournal } from '../../src/supervisor/process-journal.ts';
import { type Behaviour, flood, reply, startBadBoreServer, staySilent } from '../support/bad-bore-server.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { startReleasesServer } from '../support/releases-server.ts';
import { RunnerJob } from '../support/runner.ts';
import { isRunning } from '../support/running.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';

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
  // main has said it all.
  expect(post.log).not.toMatch(/^::(warning|error|group)::/m);
  expect(readdirSync(job.temp)).toEqual([]);
  expect(pids.filter(isRunning)).toEqual([]);
  const comment = github.state.comments[0]?.body;
  const said = [main.log, post.log, job.summary, JSON.stringify(github.requests)].join('\n');
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
  // A start that failed early has a folder, and may have started nothing.
  return readdirSync(job.temp).flatMap(session =>
    readJournal(join(job.temp, session, 'journal')).map(({ pid }) => pid),
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
  it('names the secret if it is wrong', async () => {
    await startRealServer('127.0.0.50', { secret: 'another-secret' });
    expectFailed(
      await run({ ...SITE, server: '127.0.0.50', secret: SECRET }),
      /^127\.0\.0\.50:7835 refused the secret: `secret` must be/,
    );
  });

  it('asks for the secret if it is missing', async () => {
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
      /^the server 127\.0\.0\.52:7835 requires no secret, but one was given/,
    );
  });

  it('names the range if the port is outside of it', async () => {
    await startRealServer('127.0.0.53', { secret: SECRET, minPort: 20_000, maxPort: 20_100 });
    expectFailed(
      await run({ ...SITE, server: '127.0.0.53', secret: SECRET, 'remote-port': '30000' }),
      /^127\.0\.0\.53:7835 does not give out port 30000: .*--min-port and --max-port/,
    );
  });

  it('names port-range if the server gives out none of its ports', async () => {
    await startRealServer('127.0.0.154', { secret: SECRET, minPort: 20_000, maxPort: 20_100 });
    expectFailed(
      await run({ ...SITE, server: '127.0.0.154', secret: SECRET, 'port-range': '30000-30100' }),
      /^127\.0\.0\.154:7835 gave none of \d+ ports between 30000 and 30100: set `port-range` to the --min-port/,
    );
  });

  it('names every server if none of several answers', async () => {
    const servers = { server: '127.0.0.155, 127.0.0.156', secret: SECRET };
    const failure = await run({ ...SITE, ...servers, 'startup-timeout': '5s' });
    expectFailed(failure, /^not ready within 5s, the `startup-timeout`: .*127\.0\.0\.155:7835.*/);
    expect(failure.errors[0]).toContain('could not reach 127.0.0.156:7835');
  });

  it('fails at once if the secret of one of several servers is wrong', async () => {
    for (const host of ['127.0.0.157', '127.0.0.158']) await startRealServer(host, { secret: SECRET });
    const secret = ['not-this-secret', 'nor-this-secret'].join('\n');
    const failure = await run({ ...SITE, server: '127.0.0.157,127.0.0.158', secret });
    expectFailed(failure, /^127\.0\.0\.15[78]:7835 refused the secret: `secret` must be/);
    expect(failure.errors[0]).not.toMatch(/not-this|nor-this/);
  });

  it('names the port if it stays in use', async () => {
    await startRealServer('127.0.0.54', { secret: SECRET });
    const other = createServer().listen(20_154, '127.0.0.54');
    onTestFinished(() => void other.close());
    expectFailed(
      await run({ ...SITE, server: '127.0.0.54', secret: SECRET, 'remote-port': '20154' }),
      /^port 20154 of 127\.0\.0\.54 is in use: wait for .* or choose another `remote-port`$/,
    );
  });
});

describe('a server that is not a bore server', () => {
  const answerAsHttp = reply('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
  const lie: Behaviour = reply('{"Hello":25001}\0');
  it.each<[string, Behaviour, Record<string, string>, RegExp]>([
    [
      'that speaks HTTP',
      answerAsHttp,
      {},
      /does not answer like a bore server \(it sent "HTTP\/1\.1 400 Bad Request"\)/,
    ],
    [
      'that is silent',
      staySilent,
      {},
      /does not answer like a bore server \(it accepts connections and sends/,
    ],
    ['that floods', flood, {}, /does not answer like a bore server \(it sent "A{59}…"\)/],
    ['that gives another port', lie, { 'remote-port': '25000' }, /answered with port 25001 instead of 25000/],
    ['that hangs after its challenge', socket => void socket.write(MUTE_HELLO), { secret: SECRET }, /./],
  ])('%s is told by name, with what to check', async (_, behave, inputs, message) => {
    const { address } = await startBadBoreServer(behave);
    const failure = await run({ ...SITE, server: `127.0.0.1:${address.port}`, ...inputs });
    expectFailed(failure, message);
    expect(failure.errors[0]).toContain('`server`');
  });

  it('is reported as a possible typo if its name does not exist', async () => {
    const failure = await run({ ...SITE, server: 'no-such-host.invalid', 'startup-timeout': '5s' });
    expectFailed(failure, /there is no host no-such-host\.invalid \(.*\): check `server` for a typo$/);
  });

  it('is tried until startup-timeout if it is not there, and the error repeats why', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise(done => closed.once('listening', done));
    const { port } = closed.address() as { port: number };
    await new Promise(done => closed.close(done));
    const failure = await run({ ...SITE, server: `127.0.0.1:${port}`, 'startup-timeout': '5s' });
    expectFailed(
      failure,
      /^not ready within 5s, the `startup-timeout`: could not reach .*ECONNREFUSED [\d.:]+; is the bore server running/,
    );
  });
});

/** A bore server for apps that fail; each test has an address of its own. */
async function serve(host: string): Promise<Record<string, string>> {
  await startRealServer(host, { secret: SECRET });
  return { server: host, secret: SECRET };
}

/**
 * A PATH with node, bash and what `programs` (name → script) adds; the machine's own wasmrun and cargo are not on it.
 */
function bringPrograms(workspace: string, programs: Record<string, string>): void {
  const bin = join(dirname(workspace), 'programs');
  mkdirSync(bin);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

function writeProject(workspace: string, files: Record<string, string>): void {
  mkdirSync(join(workspace, 'app'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(workspace, 'app', name), text);
}

describeWithReal(['bore'], 'an app that does not start', () => {
  it('is reported with its exit code and its last 20 lines', async () => {
    const tunnel = await serve('127.0.0.55');
    const command = 'for i in $(seq 1 30); do echo "line $i"; done; echo "::error::not ours"; exit 3';
    const failure = await run({ ...tunnel, command });
    expectFailed(failure, /^the command ended with exit code 3\nthe last lines of the app:\n {2}line 12\n/);
    expect(failure.errors[0]?.split('\n')).toHaveLength(22);
    expect(failure.comment).toContain('line 30');
    expect(failure.comment).not.toContain('line 11\n');
  });

  it('is reported with its port and the time limit if it never listens', async () => {
    const tunnel = await serve('127.0.0.56');
    const failure = await run({ ...tunnel, command: 'echo waiting; sleep 60', 'startup-timeout': '2s' });
    expectFailed(
      failure,
      /^not ready within 2s, .*the command did not listen on port \d+ in time; [^:]*\n.*\n {2}waiting$/s,
    );
  });

  it('is reported with the path and the status if it answers only with errors', async () => {
    const tunnel = await serve('127.0.0.57');
    const program = "require('http').createServer((q, s) => s.writeHead(503).end()).listen(process.env.PORT)";
    const failure = await run({ ...tunnel, command: `exec node -e "${program}"`, 'startup-timeout': '3s' });
    expectFailed(
      failure,
      /the app answered GET \/ on port \d+ with status 503 until the time was over; .*`health-path`/,
    );
  });

  it.each([
    [
      'is not quite HTTP',
      "s.end('HTTP/1.1 200 OK\\nContent-Length: 2\\n\\nok')",
      /ends a line of its head without CR LF/,
    ],
    [
      'is TLS',
      's.end(Buffer.from([21, 3, 3, 0, 2, 2, 10]))',
      /speaks TLS \(https\); let the app speak plain http/,
    ],
  ])('is reported with what was wrong if its answer %s', async (_, answer, words) => {
    const tunnel = await serve('127.0.0.57');
    const program = `require('net').createServer(s => s.once('data', () => ${answer})).listen(process.env.PORT)`;
    const failure = await run({ ...tunnel, command: `exec node -e "${program}"`, 'startup-timeout': '3s' });
    expectFailed(failure, /the app's answer to GET \/ on port \d+ is not valid HTTP: it /);
    expectFailed(failure, words);
  });

  it('is reported as such if nothing listens on the given port', async () => {
    const tunnel = await serve('127.0.0.58');
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise(done => closed.once('listening', done));
    const { port } = closed.address() as { port: number };
    await new Promise(done => closed.close(done));
    const failure = await run({ ...tunnel, port: String(port), 'startup-timeout': '2s' });
    expectFailed(
      failure,
      new RegExp(`nothing listens on port ${port} .*start the service in an earlier step`),
    );
  });

  it('is reported with the process that has its port', async () => {
    const tunnel = await serve('127.0.0.59');
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise(done => other.once('listening', done));
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const failure = await run({ ...tunnel, port: String(port), command: 'exec node app.js' });
    expectFailed(
      failure,
      new RegExp(`^port ${port} is taken by another process \\(node, ${process.pid}\\), so`),
    );
  });

  it('is reported with every way to get wasmrun that was tried', async () => {
    const releases = await startReleasesServer([], { apiStatus: 403 });
    onTestFinished(() => releases.close());
    const failure = await run(
      { ...(await serve('127.0.0.60')), path: 'app' },
      {
        environment: { PATH: '/nowhere', EXPOSE_WASMRUN_RELEASES_URL: releases.url },
        prepare: workspace => writeProject(workspace, { 'server.js': '' }),
      },
    );
    expect(failure.errors).toEqual([
      expect.stringMatching(
        /^wasmrun 1\.0\.0 was not found and could not be installed: .*403.*cargo is not on/,
      ),
    ]);
    expect(failure.errors[0]).toContain('`mode: web`');
    expect(failure.outputs.status).toBe('Failed');
    expect(failure.code).toBe(1);
  });

  it('is reported with version and path of a wasmrun that is too old', async () => {
    let bin = '';
    const job = { server: '127.0.0.60', path: 'app' };
    const environment: Record<string, string> = {};
    const failure = await run(job, {
      environment,
      prepare: workspace => {
        writeProject(workspace, { 'server.js': '' });
        bringPrograms(workspace, { wasmrun: 'echo wasmrun 0.9.0' });
        bin = join(dirname(workspace), 'programs');
        environment.PATH = `${bin}:/usr/bin:/bin`;
      },
    });
    expect(failure.errors).toEqual([
      expect.stringMatching(/^wasmrun 0\.9\.0 at \S+programs\/wasmrun is too old/),
    ]);
    expect(failure.code).toBe(1);
  });
});

describeWithReal(['bore', 'wasmrun', 'runtime'], 'an OS-mode app that does not start', () => {
  async function runProject(
    host: string,
    files: Record<string, string>,
    inputs: Record<string, string> = {},
  ) {
    const wasmhub = await startWasmhub({ runtime: requirePart('runtime') });
    onTestFinished(() => wasmhub.stop());
    const PATH = `${dirname(requirePart('wasmrun'))}:${process.env.PATH}`;
    return run(
      { ...(await serve(host)), path: 'app', ...inputs },
      {
        environment: { PATH, WASMRUN_WASMHUB_BASE_URL: wasmhub.url },
        prepare: workspace => writeProject(workspace, files),
      },
    );
  }

  it('is reported with the mode that would work if it is not a Node.js project', async () => {
    const files = { 'Cargo.toml': '[package]\nname = "app"\n', 'index.html': '<p>' };
    expectFailed(await runProject('127.0.0.61', files, { mode: 'os' }), /in OS mode.*`mode: web` serves/);
  });

  it('is reported with what it printed if it ends', async () => {
    const files = { 'server.js': "console.log('no database'); process.exit(4);" };
    const failure = await runProject('127.0.0.62', files);
    expectFailed(failure, /exit code 4.*\n {2}no database/s);
  });

  it('is reported with what it printed if it never listens', async () => {
    const files = { 'server.js': "console.log('thinking'); setInterval(() => {}, 1000);" };
    const failure = await runProject('127.0.0.63', files, { 'startup-timeout': '6s' });
    expectFailed(
      failure,
      /^not ready within 6s, .*the app did not answer GET \/ on port \d+ in time; let it listen there.*\n {2}thinking$/s,
    );
  });

  it.each(['auto', 'os'])(
    'is reported with the place where its wasmrun.toml is broken, whatever fail-on-error says (mode: %s)',
    async mode => {
      const files = { 'server.js': '', 'wasmrun.toml': '[os\n' };
      const failure = await runProject('127.0.0.64', files, { mode, 'fail-on-error': 'false', hold: 'soon' });
      expect(failure.errors).toEqual([
        expect.stringMatching(
          /^path: wasmrun\.toml cannot be read \(line 1, column \d+\): .*; correct the file\n`hold` is 'soon'/,
        ),
      ]);
      expect(failure.code).toBe(1);
      expect(failure.comment).toBeUndefined();
    },
  );

  it('is reported with the reason why it cannot have an env', async () => {
    const failure = await runProject('127.0.0.65', { 'server.js': '' }, { env: 'A=1' });
    expect(failure.errors).toEqual([expect.stringMatching(/^`env` cannot be used with `mode: os`: /)]);
    expect(failure.code).toBe(1);
  });
});

describe('wrong inputs', () => {
  it('are reported together, before anything is started', async () => {
    const failure = await run({ path: 'nowhere', port: '0', server: 'http://bore.pub', hold: 'a while' });
    expect(failure.errors).toEqual([expect.stringMatching(/port.*\n.*nowhere.*\n.*server.*\n.*hold/)]);
    expect(failure.code).toBe(1);
    expect(failure.comment).toBeUndefined();
  });

  it('stay red with fail-on-error: false', async () => {
    const failure = await run({ ...SITE, comment: 'perhaps', 'fail-on-error': 'false' });
    expect(failure.errors).toEqual(["`comment` is 'perhaps': write true or false"]);
    expect(failure.code).toBe(1);
  });
});

describeWithReal(['bore'], 'with fail-on-error: false', () => {
  it('a preview that cannot start is a warning, and the step is green', async () => {
    await startRealServer('127.0.0.66', { secret: 'another-secret' });
    const inputs = { ...SITE, server: '127.0.0.66', secret: SECRET, 'fail-on-error': 'false' };
    const failure = await run(inputs);
    expect(failure.code).toBe(0);
    expect(failure.errors).toEqual([]);
    expect(failure.warnings).toEqual([
      expect.stringMatching(/^no preview: 127\.0\.0\.66:7835 refused the secret/),
    ]);
    expect(failure.outputs.status).toBe('Failed');
    expect(failure.comment).toContain('refused the secret');
  });
});
