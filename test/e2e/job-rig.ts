// What the tests of a preview's life share: a job on a pull request, visitors that stay connected, and a look at
// what a preview has running. Whatever a failed test leaves is ended with it.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { readState } from '../../src/control/client.ts';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import type { ProcessRecord } from '../../src/shared/processes.ts';
import type { StateMessage } from '../../src/shared/state-json.ts';
import { readJournal, reapJournal } from '../../src/supervisor/process-journal.ts';
import { readSession } from '../../src/supervisor/session-folder.ts';
import { RunnerJob } from '../support/runner.ts';
import { isRunning } from '../support/running.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

/** In a hold no later step has `expose` on its PATH yet. */
const CLI = resolve('dist/cli/index.js');

export const SECRET = 'a-secret-of-the-bore-server';

const PULL_REQUEST = {
  number: 7,
  state: 'open' as const,
  head: { sha: 'a'.repeat(40), repo: { full_name: 'octo/app' } },
};

export interface Preview {
  job: RunnerJob;
  github: GitHubServer;
  /** The titles the comment has had, oldest first: `is live`, `has ended`, and so on. */
  titles(): string[];
  /** Every process on record, oldest first; the first is the supervisor. Only until post. */
  processes(): ProcessRecord[];
  /** The newest process of that role. */
  find(role: string): ProcessRecord;
  /** The session folder. */
  folder(): string;
  /** `expose status --json`, as a later step sees it. */
  status(): Promise<Status>;
  /** Resolves when `check` holds. Asks the control API: a command for every look would keep a processor busy. */
  awaitStatus(check: (state: StateMessage) => boolean, what: string): Promise<void>;
}

/** What the tests look at of the state, as `--json` prints it. */
export interface Status {
  status: string;
  tunnel_reason: string | null;
  visits: number;
  restarts: number;
  reconnects: number;
  app: { status: string; reason: string | null; port: number | null };
  exposure: { phase: string; reason?: string; live_at?: string; ended_at?: string };
}

/**
 * A job on a pull request whose step has these inputs; nothing is started yet. `repository`: null if the event does not
 * describe it. `shared`: the server that other jobs use, too, instead of one of its own.
 */
export async function createPreview(
  inputs: Record<string, string>,
  files: Record<string, string> = {},
  environment: Record<string, string> = {},
  worker?: string,
  repository: { private: boolean } | null = { private: false },
  shared?: GitHubServer,
): Promise<Preview> {
  const github = shared ?? (await startGitHubServer({ repository: 'octo/app', pulls: [PULL_REQUEST] }));
  const job = new RunnerJob({
    inputs: { secret: SECRET, 'github-token': github.state.token, path: 'app', ...inputs },
    eventName: 'pull_request',
    event: { pull_request: PULL_REQUEST, ...(repository && { repository }) },
    apiUrl: github.url,
    environment,
    ...(worker !== undefined && { worker }),
  });
  mkdirSync(join(job.workspace, 'app'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(job.workspace, 'app', name), text);
  const folders = () => readdirSync(job.temp).filter(name => name.startsWith('expose-'));
  onTestFinished(async () => {
    job.signal('SIGKILL');
    for (const folder of folders()) await reapJournal(join(job.temp, folder, 'journal'), 1_000);
    if (shared === undefined) await github.stop();
    job.remove();
  });
  const folder = () => join(job.temp, folders()[0] ?? 'no session folder');
  const processes = () => readJournal(join(folder(), 'journal')).reverse();
  return {
    job,
    github,
    folder,
    processes,
    find: role => {
      const found = processes().findLast(record => record.role === role);
      if (found === undefined) throw new Error(`no ${role} among ${processes().map(one => one.role)}`);
      return found;
    },
    titles: () =>
      github.requests.flatMap(({ method, path, body }) =>
        method !== 'GET' && path.includes('/comments')
          ? (/Preview `.*?` (.*)/.exec((body as { body: string }).body)?.[1] ?? 'no title')
          : [],
      ),
    status: async () => JSON.parse((await job.shell(`'${process.execPath}' '${CLI}' status --json`)).log),
    awaitStatus: async (check, what) => {
      const session = readSession(folder());
      if (session === undefined) throw new Error('there is no session');
      await waitUntil(async () => check(await readState(session)), what);
    },
  };
}

/** Starts main, expects it to end live, and returns the public URL. */
export async function goLive({ job }: Preview): Promise<string> {
  const { code, log } = await job.main();
  if (code !== 0) throw new Error(`main ended with ${code}:\n${log}`);
  return job.outputs.url ?? '';
}

/** Starts a main that holds, and returns the public URL once it is announced. */
export async function startHold({ job }: Preview): Promise<string> {
  job.start();
  const [, url = ''] = await job.printed(/Preview: (http:\S+)/);
  return url;
}

export interface Visitor {
  /** What came so far, the head included. */
  readonly received: string;
  /** True once the connection is over, well or badly. */
  readonly gone: boolean;
  /** Hangs up. */
  leave(): void;
}

/** A visitor that asks and stays connected. Resolves when the first bytes of an answer are there, or at once. */
export async function visit(
  url: string,
  request: string,
  options: { awaitAnswer: boolean } = { awaitAnswer: true },
): Promise<Visitor> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const visitor = { received: '', gone: false, leave: () => void socket.destroy() };
  onTestFinished(() => void socket.destroy());
  socket.setEncoding('latin1').on('error', () => {});
  socket.on('data', text => {
    visitor.received += text;
  });
  socket.on('close', () => {
    visitor.gone = true;
  });
  socket.write(request.replace('HOST', host));
  if (options.awaitAnswer) await waitUntil(() => visitor.received !== '', `${url} answers`);
  return visitor;
}

/** The body of an answer, or what went wrong instead of one. */
export async function ask(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    return response.ok ? await response.text() : `status ${response.status}`;
  } catch (error) {
    return error instanceof Error ? error.name : 'no answer';
  }
}

/** Resolves when the public port is free: the server looks after its ports every half second. */
export async function awaitFree(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  await waitUntil(async () => !(await accepts(hostname, Number(port))), `${url} is free`);
}

/** Resolves when none of them runs any more. */
export async function awaitGone(records: readonly ProcessRecord[]): Promise<void> {
  await waitUntil(
    () => records.every(({ pid }) => !isRunning(pid)),
    `${records.map(({ role }) => role)} ended`,
  );
}

/** A server that answers with its pid, and whose /stream never ends. Listens on PORT. */
export const SERVER = `require('node:http').createServer((request, response) => {
  if (request.url !== '/stream') return response.end('pid ' + process.pid);
  response.write('tick');
  setInterval(() => response.write('tick'), 100);
}).listen(process.env.PORT, '127.0.0.1', () => console.log('up'));
`;

export const STREAM = 'GET /stream HTTP/1.1\r\nHost: HOST\r\n\r\n';
/** Half an upload: the app waits for the rest. */
export const UPLOAD = 'POST /echo HTTP/1.1\r\nHost: HOST\r\nContent-Length: 10\r\n\r\nhalf';
