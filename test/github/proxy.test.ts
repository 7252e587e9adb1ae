// GitHub's API in a job that can reach the network only through a proxy. Only the proxy can resolve the host names of
// these tests, so that no request can reach GitHub without it.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createServer as createTls, getCACertificates, setDefaultCACertificates } from 'node:tls';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub } from '../../src/github/api.ts';
import { CommentWriter } from '../../src/github/comment/comment-writer.ts';
import type { ProcessRecord } from '../../src/shared/processes.ts';
import type { StepState } from '../../src/step/state.ts';
import { startBackground, stopBackground } from '../../src/supervisor/background.ts';
import type { SupervisorConfig } from '../../src/supervisor/config.ts';
import { createSessionFolder } from '../../src/supervisor/session-folder.ts';
import {
  type ConnectProxy,
  type ConnectProxyOptions,
  runScript,
  startConnectProxy,
} from '../support/connect-proxy.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { TestCa } from '../support/test-ca.ts';
import { waitUntil } from '../support/wait-until.ts';
import { HEAD, recordLog, sampleJob, samplePull, sampleView } from './samples.ts';

/** An API with TLS, like GitHub's own. */
const GITHUB = 'https://api.github.test';
/** An Enterprise server without TLS. */
const ENTERPRISE = 'http://github.inside.test';
const ROUTE = 'GET /repos/{owner}/{repo}';
const PARAMETERS = { owner: 'octo', repo: 'app' };
const PASSWORD = 'pass%40word';

let server: GitHubServer;
let proxy: ConnectProxy;
beforeEach(async () => {
  server = await startGitHubServer();
});
afterEach(async () => {
  await proxy.stop();
  await server.stop();
});

async function start(options: ConnectProxyOptions = {}): Promise<void> {
  const port = Number(new URL(server.url).port);
  proxy = await startConnectProxy({ names: { 'github.inside.test': port }, ...options });
}

/** GitHub with TLS in front, of a certificate authority this process trusts. */
async function startTlsFront(): Promise<number> {
  const ca = new TestCa();
  const trusted = getCACertificates('default');
  setDefaultCACertificates([...trusted, ca.pem]);
  const front = createTls(ca.issue(['DNS:api.github.test']), socket => {
    const onward = connectSocket(Number(new URL(server.url).port), '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on('error', () => {});
  });
  await once(front.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    setDefaultCACertificates(trusted);
    ca.remove();
    front.close();
  });
  return (front.address() as AddressInfo).port;
}

function connect(apiUrl: string, environment: Record<string, string>, logger = recordLog()) {
  return connectGitHub({ token: 'ghs_test', apiUrl, logger, proxy: environment });
}

function ask(apiUrl: string, environment: Record<string, string>): Promise<unknown> {
  return connect(apiUrl, environment).request(v.unknown(), ROUTE, { parameters: PARAMETERS });
}

describe("GitHub's API", () => {
  it.each(['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY'])(
    'is reached through %s, with TLS to GitHub itself',
    async name => {
      await start({ names: { 'api.github.test': await startTlsFront() } });
      expect(await ask(GITHUB, { [name]: proxy.url })).toMatchObject({ full_name: 'octo/app' });
      expect(proxy.asked).toEqual(['CONNECT api.github.test:443']);
    },
  );

  it.each(['HTTP_PROXY', 'http_proxy'])('is reached through %s without TLS', async name => {
    await start();
    expect(await ask(ENTERPRISE, { [name]: proxy.url })).toMatchObject({ full_name: 'octo/app' });
    expect(proxy.asked).toEqual([`GET ${ENTERPRISE}/repos/octo/app`]);
  });

  it.each(['NO_PROXY', 'no_proxy'])('is reached directly if %s names it', async name => {
    await start();
    for (const hosts of ['127.0.0.1', 'other.test, 127.0.0.1', '*']) {
      const answer = await ask(server.url, { HTTP_PROXY: proxy.url, [name]: hosts });
      expect(answer).toMatchObject({ full_name: 'octo/app' });
    }
    expect(proxy.asked).toEqual([]);
    await ask(server.url, { HTTP_PROXY: proxy.url, [name]: 'other.test' });
    expect(proxy.asked).toHaveLength(1);
  });

  it('is reached through the lower-case variable first, whose value may lack a scheme', async () => {
    await start();
    const environment = { HTTP_PROXY: 'http://elsewhere.test:1', http_proxy: new URL(proxy.url).host };
    expect(await ask(ENTERPRISE, environment)).toMatchObject({ full_name: 'octo/app' });
  });

  it('is reached directly if the variables are empty', async () => {
    await start();
    const environment = { HTTP_PROXY: '', https_proxy: ' ', NO_PROXY: '' };
    expect(await ask(server.url, environment)).toMatchObject({ full_name: 'octo/app' });
  });
});

describe('a proxy with a password', () => {
  it('receives it, and no log contains it', async () => {
    await start({ credentials: `me:${PASSWORD}`, names: { 'api.github.test': await startTlsFront() } });
    const log = recordLog();
    const github = connect(GITHUB, { HTTPS_PROXY: proxy.fullUrl }, log);
    await github.request(v.unknown(), ROUTE, { parameters: PARAMETERS });
    expect(proxy.asked).toEqual(['CONNECT api.github.test:443']);
    expect(JSON.stringify([log.lines, server.requests])).not.toMatch(/pass(%40|@)word/);
  });

  it.each([GITHUB, ENTERPRISE])('reports a wrong password without showing it, for %s', async apiUrl => {
    await start({ credentials: 'me:another' });
    const error = await fail(apiUrl, proxy.fullUrl.replace('another', PASSWORD));
    expect(error).toMatchObject({ name: 'GitHubError', message: expect.stringContaining('(407)') });
    expect(renderWhole(error)).not.toMatch(/pass(%40|@)word/);
  });

  it('is not shown if the proxy cannot be reached', async () => {
    await start({ credentials: `me:${PASSWORD}` });
    const address = proxy.fullUrl;
    await proxy.stop();
    const error = await fail(GITHUB, address);
    expect(error).toMatchObject({ name: 'GitHubError', message: expect.stringContaining('ECONNREFUSED') });
    expect(renderWhole(error)).not.toMatch(/pass(%40|@)word/);
    await start();
  });
});

async function fail(apiUrl: string, proxyUrl: string): Promise<unknown> {
  const environment = { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl };
  return await ask(apiUrl, environment).catch((error: unknown) => error);
}

/** Everything that a log could show of an error: messages and stacks, with all causes. */
function renderWhole(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message}\n${error.stack}\n${renderWhole(error.cause)}`;
}

describe('a proxy variable with a wrong value', () => {
  it.each([
    'http://me:hunter@2@[::1',
    'http://me:hunter/2@squid.test:3128',
    'http://me:12/hunter@squid.test:3128',
    'http://me:hunter#2@squid.test:3128',
    'http://me:100%hunter@squid.test:3128',
    'http://me:hunter@squid.test:99999',
    'ftp://me:hunter@squid.test',
    'http://',
  ])('is named in the message, which does not show its value: %s', async value => {
    await start();
    const error = await ask(GITHUB, { https_proxy: value }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'GitHubError', retryable: false });
    expect(String(error)).toMatch(/https_proxy is not the address of a proxy .*write http:\/\/host:port or /);
    expect(renderWhole(error)).not.toMatch(/hunter|squid\.test/);
  });

  it('leaves the preview without a comment, with one warning', async () => {
    await start();
    const logger = recordLog();
    const github = connect(ENTERPRISE, { HTTP_PROXY: 'http://me:pass/word@proxy.test' }, logger);
    const target = { pullRequest: 7, identity: { key: 'k', name: 'web' }, instance: 'c0ffee' };
    const comment = new CommentWriter({ github, job: sampleJob(), target, logger, warn: logger.warn });
    await comment.update(sampleView());
    await comment.update(sampleView());
    await comment.flush();
    expect(logger.lines).toEqual([
      expect.stringMatching(/^warn: could not comment.*: HTTP_PROXY is not the address of a proxy/),
    ]);
  });
});

const source = (path: string) => JSON.stringify(resolve(path));

/** The variables of a step at the Enterprise server, which a comment on pull request 7 started. */
function describeStep(folder: string): Record<string, string> {
  const event = join(folder, 'event.json');
  writeFileSync(event, JSON.stringify({ issue: { number: 7, pull_request: {} } }));
  return {
    HTTP_PROXY: proxy.url,
    GITHUB_API_URL: ENTERPRISE,
    GITHUB_EVENT_NAME: 'issue_comment',
    GITHUB_EVENT_PATH: event,
    GITHUB_REPOSITORY: 'octo/app',
    GITHUB_RUN_ID: '100',
    GITHUB_WORKSPACE: folder,
    'INPUT_GITHUB-TOKEN': 'ghs_test',
    INPUT_MODE: 'port',
    INPUT_PORT: '3000',
    INPUT_SERVER: '127.0.0.1',
  };
}

function makeFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), 'report-proxy-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  return createSessionFolder(parent);
}

describe('the proxy of the job', () => {
  it('is used by main, for the fork rules and the pull request', async () => {
    await start();
    server.state.pulls.push(samplePull('octo/app'));
    const printed = await runScript(
      `const { applyForkRules, connectForStep, findReportTarget } = await import(${source('src/step/report-target.ts')});
      const { readActionInputs } = await import(${source('src/step/action-inputs.ts')});
      const { readForkRuleInputs, readJob } = await import(${source('src/step/job-environment.ts')});
      const { readMachine } = await import(${source('src/step/machine.ts')});
      const { StepLog } = await import(${source('src/step/log.ts')});
      const [job, guard] = [readJob(), readForkRuleInputs()];
      const [runner, log] = [readMachine(), new StepLog('info')];
      const github = connectForStep(job, guard, runner);
      await applyForkRules({ job, github, guard, log }).catch(error => console.log(error.message));
      const inputs = readActionInputs(runner);
      const { report } = await findReportTarget({ job, github, guard, inputs, log });
      log.stop();
      console.log(report.comment.pullRequest, report.preview.commit);`,
      describeStep(makeFolder()),
    );
    expect(printed).toContain(`but the head ${HEAD} was expected`);
    expect(printed).toContain(`7 ${HEAD}`);
    const pull = `GET ${ENTERPRISE}/repos/octo/app/pulls/7`;
    expect(proxy.asked).toEqual([pull, pull, `GET ${ENTERPRISE}/repos/octo/app`]);
  });

  it('is used by post, for the last comment', async () => {
    await start();
    const folder = makeFolder();
    const state: StepState = {
      folder,
      hold: false,
      supervisor: { pid: 2 ** 30, startTime: 'long ago', role: 'supervisor' },
      mode: 'web',
      logLevel: 'info',
      stopTimeoutMs: 5_000,
      report: {
        identity: { key: 'k', name: 'web' },
        preview: { commit: HEAD, warnings: [], showConsole: false },
        comment: { pullRequest: 7, instance: 'c0ffee' },
      },
    };
    await runScript(
      `const { tearDown } = await import(${source('src/step/teardown.ts')});
      await tearDown();`,
      { ...describeStep(folder), STATE_exposure: JSON.stringify(state) },
    );
    expect(server.state.comments).toMatchObject([{ issue: 7, body: expect.stringContaining('was killed') }]);
    expect(proxy.asked).toContain(`POST ${ENTERPRISE}/repos/octo/app/issues/7/comments`);
  });

  it("is used by the background process, from the app's environment", async () => {
    await start();
    const folder = makeFolder();
    const records: ProcessRecord[] = [];
    await startBackground({
      script: resolve('src/supervisor.ts'),
      config: describeSupervisor(folder, { HTTP_PROXY: proxy.url }),
      environment: { PATH: process.env.PATH ?? '' },
      onSpawn: record => records.push(record),
    });
    onTestFinished(async () => void (await stopBackground(folder, records[0])));
    await waitUntil(() => server.state.comments.length > 0, 'there is a comment');
    expect(proxy.asked).toContain(`POST ${ENTERPRISE}/repos/octo/app/issues/7/comments`);
  });
});

/** A preview that fails early, because there is no bore server, and comments on pull request 7. */
function describeSupervisor(folder: string, baseEnvironment: Record<string, string>): SupervisorConfig {
  return {
    folder,
    name: 'web',
    controlToken: 'a-control-token',
    logLevel: 'info',
    github: { job: sampleJob({ apiUrl: ENTERPRISE }), token: 'ghs_test' },
    report: {
      identity: { key: 'k', name: 'web' },
      preview: { commit: HEAD, warnings: [], showConsole: true },
      comment: { pullRequest: 7, instance: 'c0ffee' },
    },
    exposure: {
      protocol: 'http',
      spec: { mode: 'web', path: folder, spa: false, crossOriginIsolation: false },
      env: {},
      baseEnvironment,
      healthPath: '/',
      startupTimeoutMs: 30_000,
      gateway: OPEN_GATEWAY,
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: 1 } }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://{host}:{port}',
      },
    },
  };
}

describe("a proxy's code", () => {
  it('is loaded only if there is a proxy, and keeps no process alive', async () => {
    const port = await startPatientServer();
    await start({ names: { 'github.inside.test': port } });
    const code = `
      const { connectGitHub } = await import(${source('src/github/api.ts')});
      const { silentLogger } = await import(${source('src/shared/log.ts')});
      const v = await import(${source('node_modules/valibot/dist/index.mjs')});
      const { createRequire } = await import('node:module');
      const options = { token: 't', apiUrl: process.env.API_URL, logger: silentLogger, proxy: process.env };
      await connectGitHub(options).request(v.unknown(), '${ROUTE}', { parameters: ${JSON.stringify(PARAMETERS)} });
      const loaded = Object.keys(createRequire('/x.js').cache);
      console.log(loaded.some(path => path.includes('/node_modules/undici/')));`;
    const address = `http://127.0.0.1:${port}`;
    expect(await runScript(code, { API_URL: address })).toBe('false\n');
    expect(await runScript(code, { API_URL: ENTERPRISE, HTTP_PROXY: proxy.url })).toBe('true\n');
    expect(proxy.asked).toHaveLength(1);
  });
});

/** A server that keeps its connections open for ten minutes, which is longer than this test may take. */
async function startPatientServer(): Promise<number> {
  const patience = { connection: 'keep-alive', 'keep-alive': 'timeout=600' };
  const patient = createServer({ keepAliveTimeout: 600_000 }, (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...patience }).end('{}');
  });
  await once(patient.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    patient.closeAllConnections();
    patient.close();
  });
  return (patient.address() as AddressInfo).port;
}
