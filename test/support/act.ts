// Runs a workflow under nektos/act, a second implementation of the runner, in host mode: no container, nothing on PATH
// but what a bare runner has. `wasmrun/expose-action@v1` in the workflow means this checkout.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { listen } from './listen.ts';
import { requirePart } from './real-parts.ts';
import { waitUntil } from './wait-until.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What the release holds; the examples stand for the user's repository. */
const SHIPPED = [
  'action.yml',
  'stop',
  'wait',
  'dist',
  'examples/os-hello',
  'examples/web-hello',
  'examples/webhooks',
];
/** What the workflows' steps call, apart from `programs`. No browser is among them. */
const TOOLS = ['bash', 'cat', 'cp', 'curl', 'date', 'grep', 'mkdir', 'rm'];

export interface ActOptions {
  /** Text of the workflow. */
  workflow: string;
  /** `pull_request` by default. */
  eventName?: string;
  /** Payload of the event. */
  event: unknown;
  /** The example that a checkout puts into the workspace; `os-hello` by default. */
  checkout?: string;
  /** Shell scripts to run in place of other people's actions, by name: `{ 'actions/cache': ':' }`. */
  actions?: Record<string, string>;
  /** Further arguments of act. */
  args?: readonly string[];
  /** Paths of further programs for the steps. */
  programs?: readonly string[];
  /** False: wasmrun is not on PATH. */
  hasWasmrun?: boolean;
  /** Folder of act's own cache service; without one the run has no cache service. */
  cacheFolder?: string;
  secrets: Record<string, string>;
  /** `vars.*` */
  variables: Record<string, string>;
  environment: Record<string, string>;
}

export interface ActRun {
  /** HOME of the whole run; everything of it lies below, and every process of it can be told by it. */
  readonly home: string;
  /** What was printed so far; secrets are not masked in it. */
  readonly log: string;
  /** Rejects where act ends first. */
  printed(pattern: RegExp): Promise<void>;
  /** Resolves with act's exit code. */
  readonly finished: Promise<number | null>;
}

/** Starts the run; it and its folder end with the test. */
export function startAct(options: ActOptions): ActRun {
  const folder = mkdtempSync(join(tmpdir(), 'act-'));
  const inside = (name: string) => join(folder, name);
  for (const name of ['home', 'temp', 'tools', 'source', 'work']) mkdirSync(inside(name));
  for (const name of SHIPPED) cpSync(join(ROOT, name), join(inside('source'), name), { recursive: true });
  linkTools(inside('tools'), options);
  writeFileSync(inside('workflow.yml'), options.workflow);
  writeFileSync(inside('event.json'), JSON.stringify(options.event));
  writeFileSync(inside('secrets'), renderPairs(options.secrets).join('\n'), { mode: 0o600 });
  const environment = {
    GITHUB_REPOSITORY: 'octo/app',
    // Each run has its own temp folder: what is left in it afterwards was left by us.
    TMPDIR: inside('temp'),
    SRC: inside('source'),
    ...options.environment,
  };
  const args = [
    options.eventName ?? 'pull_request',
    ...['--workflows', inside('workflow.yml'), '--directory', inside('work')],
    ...['--platform', 'ubuntu-latest=-self-hosted', '--platform', 'ubuntu-24.04=-self-hosted'],
    ...['--eventpath', inside('event.json'), ...(options.args ?? [])],
    ...['--secret-file', inside('secrets'), '--insecure-secrets'],
    ...(options.cacheFolder === undefined
      ? ['--no-cache-server']
      : ['--cache-server-path', options.cacheFolder, '--cache-server-addr', '127.0.0.1']),
    ...['--local-repository', `wasmrun/expose-action@v1=${inside('source')}`],
    ...replaceActions(options, inside('actions')),
    ...renderPairs(options.variables).flatMap(pair => ['--var', pair]),
    ...renderPairs(environment).flatMap(pair => ['--env', pair]),
  ];
  const child = spawn(requirePart('act'), args, {
    cwd: inside('work'),
    env: { PATH: inside('tools'), HOME: inside('home'), ACT_DISABLE_VERSION_CHECK: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  const finished = once(child, 'close').then(() => child.exitCode);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await finished;
    for (const pid of findProcesses(inside('home'))) endQuietly(pid);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    home: inside('home'),
    get log() {
      return log;
    },
    async printed(pattern) {
      await waitUntil(() => pattern.test(log) || child.exitCode !== null, `act prints ${pattern}`);
      if (!pattern.test(log)) throw new Error(`act ended without printing ${pattern}:\n${log}`);
    },
    finished,
  };
}

/** Where steps of a job wait until the test has looked at what is live: `curl "$MEETING/NAME" --data …`. */
export interface Meeting {
  readonly url: string;
  /** Resolves with what `count` steps sent, by name; rejects where the run ends before. */
  gather(run: ActRun, count: number): Promise<Record<string, unknown>>;
  /** Lets all go on. */
  release(): void;
}

export async function startMeeting(): Promise<Meeting> {
  const sent: Record<string, unknown> = {};
  const waiting: (() => void)[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
    sent[(request.url ?? '').slice(1)] = JSON.parse(text);
    waiting.push(() => response.end());
  });
  const port = await listen(server);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async gather(run, count) {
      let over = false;
      void run.finished.then(() => {
        over = true;
      });
      await waitUntil(() => over || waiting.length >= count, `${count} steps wait`).catch(cause => {
        throw new Error(`not all steps came:\n${run.log}`, { cause });
      });
      if (waiting.length < count) throw new Error(`act ended before ${count} steps came:\n${run.log}`);
      return sent;
    },
    release() {
      for (const answer of waiting.splice(0)) answer();
    },
  };
}

/** Every process with the path in its arguments or environment. */
export function findProcesses(path: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(pid => ['cmdline', 'environ'].some(file => readProc(pid, file).includes(path)))
    .map(Number);
}

/** '' for a process that is gone. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function endQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}

/** act would download the actions of others; and for a checkout, it would look for a repository around it. */
function replaceActions({ workflow, checkout = 'os-hello', actions }: ActOptions, folder: string): string[] {
  // The fork rules read the commit that the workflow asked for.
  const copy = `cp -r "$SRC"/examples/${checkout}/. .`;
  const scripts = {
    'actions/checkout': `${copy}; [ -z "$REF" ] || { mkdir -p .git; echo "$REF" >.git/HEAD; }`,
    ...actions,
  };
  return Object.entries(scripts).flatMap(([name, run]) => {
    const [reference] = new RegExp(`${name}@\\S+`).exec(workflow) ?? [];
    if (reference === undefined) return [];
    mkdirSync(join(folder, name), { recursive: true });
    const steps = [{ shell: 'bash', run, env: { REF: `\${{ inputs.ref }}` } }];
    const action = { inputs: { ref: {} }, runs: { using: 'composite', steps } };
    writeFileSync(join(folder, name, 'action.yml'), JSON.stringify(action));
    return ['--no-skip-checkout', '--local-repository', `${reference}=${join(folder, name)}`];
  });
}

/** A folder for PATH that holds these programs and no others. */
function linkTools(
  folder: string,
  { programs = [], hasWasmrun = true }: Pick<ActOptions, 'programs' | 'hasWasmrun'>,
): void {
  const tools = TOOLS.filter(name => !programs.some(path => basename(path) === name)).map(findOnPath);
  for (const path of [...programs, ...tools]) symlinkSync(path, join(folder, basename(path)));
  symlinkSync(process.execPath, join(folder, 'node'));
  // The examples need no build and no installation; a workflow may ask for them.
  for (const name of ['npm', 'pip'])
    writeFileSync(join(folder, name), '#!/usr/bin/env bash\n', { mode: 0o755 });
  if (hasWasmrun) symlinkSync(requirePart('wasmrun'), join(folder, 'wasmrun'));
}

export function findOnPath(name: string): string {
  const candidates = (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, name));
  const found = candidates.find(path => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`${name} is not on PATH`);
  return found;
}

function renderPairs(record: Record<string, string>): string[] {
  return Object.entries(record).map(([name, value]) => `${name}=${value}`);
}
