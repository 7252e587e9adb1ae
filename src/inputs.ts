// The only reader of the action's inputs and of the job's environment. Everything is read once, every problem is
// reported together, and an empty string means "not given". The command line's flags pass through the same checks.

import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as core from '@actions/core';
import { parseEnv } from './app/environment.ts';
import { chooseMode } from './app/mode.ts';
import { parseDuration } from './duration.ts';
import { InputError } from './errors.ts';
import {
  parseBoolean,
  parseChoice,
  parseHealthPath,
  parsePublicUrl,
  parseVersion,
  parseWholeNumber,
} from './input-values.ts';
import type { LogLevel } from './log.ts';
import type { Surroundings } from './plan.ts';
import type { Job } from './report/job.ts';
import type { AppMode } from './state.ts';
import { describeJob } from './step/job.ts';
import { parseServerAddress, type ServerAddress } from './tunnel/address.ts';
import type { PortWish, TunnelServer } from './tunnel/tunnel.ts';

const DEFAULT_HOLD_MS = 30 * 60_000;
/** The job's own token dies after a day: a comment made later could not be edited any more. */
const LONG_DURATION_MS = 24 * 60 * 60_000;
/** Shorter secrets are not masked reliably by the runner, and are guessed quickly. */
const MIN_SECRET_LENGTH = 8;
const DEFAULT_PUBLIC_URL = 'http://{host}:{port}';

export interface AppInputs {
  /** Absolute. */
  path: string;
  mode: AppMode;
  /** Why `auto` chose it; one log line. */
  modeReason: string;
  port: number | undefined;
  command: string | undefined;
  args: string[];
  env: Record<string, string>;
  wasmrunVersion: string | undefined;
  vm: 'auto' | 'node' | 'browser';
  browser: string | undefined;
  spa: boolean;
  crossOriginIsolation: boolean;
  healthPath: string;
  startupTimeoutMs: number;
}

export interface TunnelInputs {
  servers: readonly TunnelServer[];
  remotePort: PortWish;
  publicUrl: string;
}

export interface Inputs {
  app: AppInputs;
  tunnel: TunnelInputs;
  /** Whether the step itself waits. */
  hold: boolean;
  /** Counted from "live"; undefined: until the job ends. */
  durationMs: number | undefined;
  comment: boolean;
  name: string | undefined;
  prNumber: number | undefined;
  failOnError: boolean;
  logLevel: LogLevel;
  /** What is allowed but unwise. */
  warnings: string[];
}

/** What the fork rules need; read before anything else is judged, for a fork's job sees no `vars` and no secrets. */
export interface GuardInputs {
  path: string;
  token: string;
  allowUntrustedHead: boolean;
}

/** Gives the text of an input, '' where it was not given. */
export type InputSource = (name: string) => string;

/** Every name `action.yml` declares, with its default there; a test holds the two together. */
export const INPUT_DEFAULTS: Readonly<Record<string, string>> = {
  path: '.',
  mode: 'auto',
  port: '',
  command: '',
  args: '',
  env: '',
  'wasmrun-version': '',
  vm: 'auto',
  browser: '',
  spa: 'false',
  'cross-origin-isolation': 'false',
  'health-path': '/',
  'startup-timeout': '120s',
  server: 'bore.pub',
  secret: '',
  'remote-port': 'random',
  'public-url': DEFAULT_PUBLIC_URL,
  hold: 'false',
  duration: '',
  'github-token': '',
  comment: 'true',
  name: '',
  'pr-number': '',
  'allow-untrusted-head': 'false',
  'fail-on-error': 'true',
  'log-level': 'info',
};

/** Collects the problems of independent checks, so that one run shows all of them. */
class Problems {
  readonly found: string[] = [];

  /** The value, or undefined after its InputError was noted; other errors pass through. */
  check<T>(parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.found.push(...error.problems);
      return undefined;
    }
  }

  throwIfAny(): void {
    if (this.found.length > 0) throw new InputError(this.found);
  }
}

/** Reads the inputs of the step that is running, and masks the secrets among them. */
export function readActionInputs(): Inputs {
  const secret = core.getInput('secret');
  if (secret) core.setSecret(secret);
  const source: InputSource = name => core.getInput(name);
  const inputs = parseInputs(source, process.env, process.env.GITHUB_WORKSPACE || process.cwd());
  return process.env.RUNNER_DEBUG === '1' ? { ...inputs, logLevel: 'debug' } : inputs;
}

/** The few inputs the fork rules need. Masks the token. */
export function readGuardInputs(): GuardInputs {
  const token = core.getInput('github-token');
  if (token) core.setSecret(token);
  return {
    path: resolve(process.env.GITHUB_WORKSPACE || process.cwd(), core.getInput('path') || '.'),
    token,
    allowUntrustedHead: core.getInput('allow-untrusted-head').toLowerCase() === 'true',
  };
}

/** Checks every input; throws one InputError with all problems. Relative paths are resolved against `base`. */
export function parseInputs(read: InputSource, environment: NodeJS.ProcessEnv, base: string): Inputs {
  const problems = new Problems();
  const text = (name: string) => read(name).trim();
  const optional = (name: string) => text(name) || undefined;
  const app = parseAppInputs(read, environment, base, problems);
  const tunnel = parseTunnelInputs(read, problems);
  const lifetime = problems.check(() => parseLifetime(text('hold'), text('duration')));
  const prNumber = problems.check(() => parseWholeNumber(optional('pr-number'), 'pr-number', 1, 2 ** 31));
  const comment = problems.check(() => parseBoolean(text('comment'), 'comment', true));
  const failOnError = problems.check(() => parseBoolean(text('fail-on-error'), 'fail-on-error', true));
  problems.check(() => parseBoolean(text('allow-untrusted-head'), 'allow-untrusted-head', false));
  const logLevel = problems.check(() => parseChoice(text('log-level') || 'info', 'log-level', LOG_LEVELS));
  problems.throwIfAny();
  if (!app || !tunnel || !lifetime || !logLevel) throw new Error('an input was refused without saying why');
  return {
    app,
    tunnel,
    ...lifetime,
    prNumber,
    comment: comment ?? true,
    failOnError: failOnError ?? true,
    name: optional('name'),
    logLevel,
    warnings: listWarnings(tunnel, lifetime.durationMs),
  };
}

const LOG_LEVELS = ['quiet', 'info', 'debug'] as const;
const MODES = ['auto', 'os', 'exec', 'web', 'port'] as const;
const VMS = ['auto', 'node', 'browser'] as const;

function parseAppInputs(
  read: InputSource,
  environment: NodeJS.ProcessEnv,
  base: string,
  problems: Problems,
): AppInputs | undefined {
  const text = (name: string) => read(name).trim();
  const optional = (name: string) => text(name) || undefined;
  const path = resolve(base, text('path') || '.');
  const port = problems.check(() => parseWholeNumber(optional('port'), 'port', 1, 65_535));
  const wanted = problems.check(() => parseChoice(text('mode') || 'auto', 'mode', MODES));
  const command = optional('command');
  const chosen =
    wanted &&
    problems.check(() =>
      chooseMode({ mode: wanted, path, ...(port && { port }), ...(command && { command }) }),
    );
  const env = problems.check(() => parseEnv(read('env'), environment));
  if (chosen?.mode === 'os' && text('env'))
    problems.found.push(
      '`env` cannot be used with `mode: os`: the page gives programs a fixed environment; write the values into a file of the project instead',
    );
  const version = problems.check(() => parseVersion(optional('wasmrun-version')));
  const vm = problems.check(() => parseChoice(text('vm') || 'auto', 'vm', VMS));
  const spa = problems.check(() => parseBoolean(text('spa'), 'spa', false));
  const isolation = problems.check(() =>
    parseBoolean(text('cross-origin-isolation'), 'cross-origin-isolation', false),
  );
  const healthPath = problems.check(() => parseHealthPath(text('health-path') || '/'));
  const startupTimeoutMs = problems.check(() =>
    parseDuration(text('startup-timeout') || '120s', 'startup-timeout'),
  );
  if (!chosen || !env || !vm || !healthPath || !startupTimeoutMs) return undefined;
  return {
    path,
    mode: chosen.mode,
    modeReason: chosen.reason,
    port,
    command,
    args: read('args')
      .split('\n')
      .map(line => line.trim())
      .filter(line => line !== ''),
    env,
    wasmrunVersion: version,
    vm,
    browser: optional('browser'),
    spa: spa ?? false,
    crossOriginIsolation: isolation ?? false,
    healthPath,
    startupTimeoutMs,
  };
}

function parseTunnelInputs(read: InputSource, problems: Problems): TunnelInputs | undefined {
  const server = problems.check(() => parseServer(read('server').trim()));
  const secret = problems.check(() => parseSecret(read('secret').trim()));
  const remotePort = problems.check(() => parseRemotePort(read('remote-port').trim()));
  const publicUrl = problems.check(() => parsePublicUrl(read('public-url').trim() || DEFAULT_PUBLIC_URL));
  if (!server || !remotePort || !publicUrl) return undefined;
  return { servers: [{ address: server, secret }], remotePort, publicUrl };
}

function parseServer(text: string): ServerAddress {
  if (text === '')
    throw new InputError(
      '`server` is empty: is the variable it comes from set? Write host or host:port, or leave the input out to use bore.pub',
    );
  return parseServerAddress(text);
}

function parseSecret(text: string): string | undefined {
  if (text.includes('\n'))
    throw new InputError('`secret` has several lines: give the secret of the one `server`');
  return text || undefined;
}

function parseRemotePort(text: string): PortWish {
  if (text === '' || text === 'random') return { kind: 'random' };
  if (text === 'auto')
    throw new InputError(
      "`remote-port` is 'auto', which this version does not have yet: use random, or a number",
    );
  return { kind: 'fixed', port: parseWholeNumber(text, 'remote-port', 1, 65_535) ?? 0 };
}

/** `hold` is false, true or a duration; a `duration` beside it must not say otherwise. */
function parseLifetime(
  holdText: string,
  durationText: string,
): { hold: boolean; durationMs: number | undefined } {
  const duration = durationText === '' ? undefined : parseDuration(durationText, 'duration');
  const word = holdText.toLowerCase();
  if (word === '' || word === 'false') return { hold: false, durationMs: duration };
  if (word === 'true') return { hold: true, durationMs: duration ?? DEFAULT_HOLD_MS };
  const hold = parseDuration(holdText, 'hold');
  if (duration !== undefined && duration !== hold)
    throw new InputError(`\`hold\` is '${holdText}' and \`duration\` is '${durationText}': say it once`);
  return { hold: true, durationMs: hold };
}

function listWarnings(tunnel: TunnelInputs, durationMs: number | undefined): string[] {
  const { servers, publicUrl } = tunnel;
  const secrets = servers.flatMap(({ secret }) => secret ?? []);
  const shown = [publicUrl, ...servers.map(({ address }) => address.host)].join(' ');
  return [
    ...(secrets.some(secret => secret.length < MIN_SECRET_LENGTH)
      ? [
          `the secret is shorter than ${MIN_SECRET_LENGTH} characters: it is easily guessed, and the runner masks every place where it happens to occur`,
        ]
      : []),
    ...(secrets.some(secret => shown.includes(secret))
      ? [
          "the secret occurs in the server's address: the runner will mask the link, and drop outputs that hold it",
        ]
      : []),
    ...(durationMs !== undefined && durationMs > LONG_DURATION_MS
      ? [
          "the duration is above 24 hours: the job's token will be dead by then, and the comment cannot be brought up to date",
        ]
      : []),
  ];
}

/** What the runner says about the job, for the fork rules and the comment. */
export function readJob(): Job {
  return describeJob(process.env, core.getInput('matrix'));
}

/** The machine as the runner describes it. */
export function readSurroundings(): Surroundings & { continueFile: string } {
  return {
    environment: process.env,
    tempFolder: process.env.RUNNER_TEMP || tmpdir(),
    continueFile: join(process.env.GITHUB_WORKSPACE || process.cwd(), 'continue'),
  };
}
