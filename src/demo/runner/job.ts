// Runs the built action as GitHub's runner does: `INPUT_*` and `GITHUB_*` in the environment, files for outputs, state
// and summary, main, then post with what main left. Used by the demo's worker, and by the tests (test/support/runner.ts).

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The runner cancels with SIGINT, and when the step goes on, with SIGTERM after 7.5 s and SIGKILL after 2.5 s more. */
const CANCEL_STEPS = [
  ['SIGTERM', 7_500],
  ['SIGKILL', 10_000],
] as const;

export interface JobOptions {
  /** The folder that holds the action's `dist`. */
  root: string;
  /** Where the job's folder is made. */
  tempFolder: string;
  /** PATH and HOME of the machine: all that the job has of its environment; HOME is a new folder if absent. */
  machine: { PATH: string; HOME?: string };
  /** Every input of the action, with action.yml's default where the workflow gives none. */
  inputs: Readonly<Record<string, string>>;
  /** The event's name and payload; a push without a pull request by default. */
  eventName?: string;
  event?: unknown;
  /** More variables, or others than the usual ones. */
  environment?: Readonly<Record<string, string>>;
  /** Address of a server that plays GitHub's API. */
  apiUrl?: string;
  /** A program that gets main's command line as its arguments, as the runner's worker does. */
  worker?: string;
  /** Called with all that a step prints. */
  onText?: (entry: Entry, text: string) => void;
}

export type Entry = 'main' | 'post' | 'stop' | 'wait';

export interface StepResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What stands in the step's log: stdout and stderr. */
  log: string;
}

/** One job on a runner of its own: workspace, temp folder, and the steps run in it. */
export class Job {
  readonly folder: string;
  readonly workspace: string;
  readonly temp: string;
  readonly outputs: Record<string, string> = {};
  readonly state: Record<string, string> = {};
  summary = '';
  /** Folders that steps put on PATH. */
  readonly paths: string[] = [];
  readonly #options: JobOptions;
  #main: ChildProcess | undefined;
  #log = '';
  #finished: Promise<StepResult> | undefined;

  constructor(options: JobOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(options.tempFolder, 'runner-'));
    this.workspace = join(this.folder, 'workspace');
    this.temp = join(this.folder, 'temp');
    for (const folder of [this.workspace, this.temp, join(this.folder, 'home')]) mkdirSync(folder);
    writeFileSync(join(this.folder, 'event.json'), JSON.stringify(options.event ?? {}));
  }

  /** Starts main and resolves when it ended. */
  async main(): Promise<StepResult> {
    this.start();
    return this.finished();
  }

  /** Starts main and leaves it running (a hold). */
  start(): void {
    const { child, finished } = this.#run('main', renderInputs(this.#options.inputs));
    this.#main = child;
    this.#finished = finished;
  }

  /** Resolves when main ended. */
  async finished(): Promise<StepResult> {
    if (this.#finished === undefined) throw new Error('main was not started');
    return this.#finished;
  }

  /** What main has printed so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves with the match as soon as main has printed it; rejects when main ends before. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const over = this.finished();
    for (;;) {
      const match = pattern.exec(this.#log);
      if (match) return match;
      const chunk = this.#main?.stdout
        ? once(this.#main.stdout, 'data').then(() => undefined)
        : Promise.resolve(undefined);
      const ended = await Promise.race([chunk, over]);
      if (ended && !pattern.test(this.#log))
        throw new Error(`main ended without printing ${pattern}:\n${this.#log}`);
    }
  }

  /** Sends main a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#main?.kill(signal);
  }

  /** Cancels main as the runner does, and resolves when it ended. */
  async cancel(): Promise<StepResult> {
    this.signal('SIGINT');
    const timers = CANCEL_STEPS.map(([signal, afterMs]) => setTimeout(() => this.signal(signal), afterMs));
    try {
      return await this.finished();
    } finally {
      for (const timer of timers) clearTimeout(timer);
    }
  }

  /** Runs the post step. */
  async post(): Promise<StepResult> {
    const state = Object.fromEntries(
      Object.entries(this.state).map(([key, value]) => [`STATE_${key}`, value]),
    );
    return this.#run('post', { ...renderInputs(this.#options.inputs), ...state }).finished;
  }

  /** Runs another action of this repository; its outputs replace those of the same name. */
  async action(entry: 'stop' | 'wait', inputs: Readonly<Record<string, string>>): Promise<StepResult> {
    return this.#run(entry, renderInputs(inputs)).finished;
  }

  /** Runs a later step's shell command, with what earlier steps put on PATH. */
  async shell(command: string): Promise<StepResult> {
    const PATH = [...this.paths, this.#options.machine.PATH].join(':');
    const env = { ...this.#environment(), PATH };
    return collect(spawn('bash', ['-c', command], { cwd: this.workspace, env })).finished;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #run(entry: Entry, environment: Record<string, string>) {
    const files = Object.fromEntries(
      ['OUTPUT', 'STATE', 'PATH', 'STEP_SUMMARY'].map(name => {
        const file = join(this.folder, `${entry}-${name}`);
        writeFileSync(file, '');
        return [`GITHUB_${name}`, file];
      }),
    );
    const { root, worker, onText } = this.#options;
    const ownCommand = [process.execPath, join(root, 'dist', entry, 'index.js')];
    const [command = '', ...args] = entry === 'main' && worker ? [worker, ...ownCommand] : ownCommand;
    const child = spawn(command, args, {
      cwd: this.workspace,
      env: { ...this.#environment(), ...files, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const run = collect(child, text => {
      if (entry === 'main') this.#log += text;
      onText?.(entry, text);
    });
    return { child, finished: run.finished.then(result => this.#gather(files, result)) };
  }

  #gather(files: Record<string, string>, result: StepResult): StepResult {
    const read = (name: string) => readFileSync(files[`GITHUB_${name}`] ?? '', 'utf8');
    Object.assign(this.outputs, parseFile(read('OUTPUT')));
    Object.assign(this.state, parseFile(read('STATE')));
    this.paths.unshift(
      ...read('PATH')
        .split('\n')
        .filter(line => line !== ''),
    );
    this.summary += read('STEP_SUMMARY');
    return result;
  }

  #environment(): Record<string, string> {
    const { machine, eventName = 'push', apiUrl, environment } = this.#options;
    return {
      PATH: machine.PATH,
      HOME: machine.HOME ?? join(this.folder, 'home'),
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: this.workspace,
      GITHUB_REPOSITORY: 'octo/app',
      GITHUB_SHA: '1'.repeat(40),
      GITHUB_RUN_ID: '100',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_JOB: 'preview',
      GITHUB_ACTION: '__wasmrun_expose-action',
      GITHUB_WORKFLOW_REF: 'octo/app/.github/workflows/preview.yml@refs/heads/main',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_API_URL: apiUrl ?? 'http://127.0.0.1:9',
      GITHUB_EVENT_NAME: eventName,
      GITHUB_EVENT_PATH: join(this.folder, 'event.json'),
      GITHUB_ACTOR: 'octocat',
      RUNNER_TEMP: this.temp,
      RUNNER_TOOL_CACHE: join(this.folder, 'tools'),
      RUNNER_TRACKING_ID: 'github_test',
      ...environment,
    };
  }
}

function renderInputs(inputs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ]),
  );
}

function collect(child: ChildProcess, onText: (text: string) => void = () => {}) {
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      onText(text);
    });
  const finished = new Promise<StepResult>(done => {
    child.once('close', (code, signal) => done({ code, signal, log }));
  });
  return { finished };
}

/** `name=value` lines and `name<<DELIMITER … DELIMITER` blocks; the last of a name counts. */
function parseFile(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const block = /^(.+?)<<(.+)\n([\s\S]*?)\n\2$/gm;
  for (const [, name = '', , value = ''] of text.matchAll(block)) found[name] = value;
  return found;
}
