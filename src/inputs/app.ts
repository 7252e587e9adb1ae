// The inputs about the app: what is run, how, and when it counts as up. Used by inputs.ts.

import { resolve } from 'node:path';
import { VM_HOSTS } from '../app/program.ts';
import { chooseMode, type ModeChoice } from '../app/project/mode.ts';
import { parseWasmrunVersion } from '../app/wasmrun/version.ts';
import { NO_BASE } from '../app/web/base-path.ts';
import { checkPage } from '../app/web/page-check.ts';
import { parseDuration } from '../shared/duration.ts';
import { InputError } from '../shared/errors.ts';
import { HOST_HEADERS, type HostHeader } from '../shared/host-rule.ts';
import { sanitise } from '../shared/sanitise.ts';
import { APP_MODES, type AppMode, type Protocol } from '../shared/state.ts';
import { MAX_STOP_TIMEOUT_MS } from '../shared/stop-times.ts';
import { parseEnv } from './env.ts';
import { parsePortInput } from './port.ts';
import type { InputSource, Problems } from './problems.ts';
import {
  DEFAULT_HEALTH_PATH,
  DEFAULT_STARTUP_TIMEOUT,
  DEFAULT_STOP_TIMEOUT,
  parseBasePath,
  parseBoolean,
  parseChoice,
  parseHealthPath,
} from './values.ts';

const ISOLATIONS = ['true', 'false', 'credentialless'] as const;
const MODES = ['auto', ...APP_MODES] as const;

export interface AppInputs {
  /** Absolute. */
  path: string;
  mode: AppMode;
  /** Why `auto` chose this mode; one log line. */
  modeReason: string;
  /** What is allowed but may not work. */
  warnings: string[];
  port: number | undefined;
  /** The machine of the port; undefined for this one. */
  service: string | undefined;
  command: string | undefined;
  args: string[];
  env: Record<string, string>;
  wasmrunVersion: string | undefined;
  vm: (typeof VM_HOSTS)[number];
  browser: string | undefined;
  spa: boolean;
  crossOriginIsolation: boolean | 'credentialless';
  /** Found in the app's page if it was not given; `/` where it has none. */
  basePath: string;
  /** Undefined with `protocol: tcp`: a port that accepts is enough. */
  healthPath: string | undefined;
  /** Undefined with `protocol: tcp`. */
  hostHeader: HostHeader | undefined;
  startupTimeoutMs: number;
  stopTimeoutMs: number;
}

/** Relative paths are resolved against `base`. Notes every problem in `problems`; throws if there is one. */
export function parseAppInputs(
  read: InputSource,
  context: { environment: NodeJS.ProcessEnv; base: string; protocol: Protocol; problems: Problems },
): AppInputs {
  const { environment, base, protocol, problems } = context;
  const text = (name: string) => read(name).trim();
  const path = resolve(base, text('path') || '.');
  const command = text('command') || undefined;
  const port = problems.check(() => parsePortInput(text('port'), command));
  const wanted = problems.check(() => parseChoice(text('mode') || 'auto', 'mode', MODES));
  // A port that was refused implies `mode: port`, too: nothing is missing in the folder then.
  const givenPort = text('port') === '' ? undefined : (port.known?.port ?? 0);
  const chosen = problems.check(() => chooseMode({ mode: wanted.value, path, port: givenPort, command }));
  const env = problems.check(() => parseEnv(read('env'), environment));
  problems.check(() => checkEnvUse(text('env'), chosen.value.mode));
  const version = problems.check(() => parseVersion(text('wasmrun-version')));
  const vm = problems.check(() => parseChoice(text('vm') || 'auto', 'vm', VM_HOSTS));
  const spa = problems.check(() => parseBoolean(text('spa'), 'spa', false));
  const isolation = problems.check(() => parseIsolation(text('cross-origin-isolation')));
  const basePath = problems.check(() => parseBasePath(text('base-path') || 'auto'));
  const healthPath = problems.check(() => parseHealthPath(text('health-path') || DEFAULT_HEALTH_PATH));
  const hostHeader = problems.check(() =>
    parseChoice(text('host-header') || 'auto', 'host-header', HOST_HEADERS),
  );
  const startupTimeoutMs = problems.check(() =>
    parseDuration(text('startup-timeout') || DEFAULT_STARTUP_TIMEOUT, 'startup-timeout'),
  );
  const stopTimeoutMs = problems.check(() => parseStopTimeout(text('stop-timeout') || DEFAULT_STOP_TIMEOUT));
  if (protocol === 'tcp') {
    problems.check(() => checkTcpMode(wanted.value, chosen.known));
    problems.check(() => checkTcpHealthPath(healthPath.value));
    problems.check(() => checkTcpHostHeader(hostHeader.known));
    problems.check(() =>
      checkTcpPages({ spa: spa.known, isolation: isolation.known, basePath: basePath.known }),
    );
  }
  const page = problems.check(() =>
    chosen.value.mode === 'web' ? checkPage(path, basePath.value) : { basePath: NO_BASE, warnings: [] },
  );
  return {
    path,
    mode: chosen.value.mode,
    modeReason: describeMode(chosen.value, page.value.basePath),
    warnings: [...(chosen.value.warning === undefined ? [] : [chosen.value.warning]), ...page.value.warnings],
    port: port.value?.port,
    service: port.value?.service,
    command,
    args: parseArgs(read('args')),
    env: env.value,
    wasmrunVersion: version.value,
    vm: vm.value,
    browser: text('browser') || undefined,
    spa: spa.value,
    crossOriginIsolation: isolation.value,
    basePath: page.value.basePath,
    healthPath: protocol === 'tcp' ? undefined : healthPath.value,
    hostHeader: protocol === 'tcp' ? undefined : hostHeader.value,
    startupTimeoutMs: startupTimeoutMs.value,
    stopTimeoutMs: stopTimeoutMs.value,
  };
}

function describeMode({ reason }: ModeChoice, basePath: string): string {
  return basePath === NO_BASE ? reason : `${reason}; served below the base path ${sanitise(basePath)}`;
}

function parseIsolation(text: string): boolean | 'credentialless' {
  const choice = parseChoice(text || 'false', 'cross-origin-isolation', ISOLATIONS);
  return choice === 'credentialless' ? choice : choice === 'true';
}

function parseStopTimeout(text: string): number {
  const ms = parseDuration(text, 'stop-timeout');
  if (ms <= MAX_STOP_TIMEOUT_MS) return ms;
  throw new InputError(
    `\`stop-timeout\` is '${text}': write at most ${MAX_STOP_TIMEOUT_MS / 1_000}s; the post step, which ends the app, has 30 s for everything`,
  );
}

/** One argument per line. */
function parseArgs(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
}

function parseVersion(text: string): string | undefined {
  return text === '' ? undefined : parseWasmrunVersion(text);
}

function checkEnvUse(env: string, mode: AppMode): void {
  if (env !== '' && mode === 'os')
    throw new InputError(
      '`env` cannot be used with `mode: os`: the page gives programs a fixed environment; write the values into a file of the project instead',
    );
}

/** The gateway serves the files of a web app, and with `protocol: tcp` there is no gateway. */
function checkTcpMode(wanted: (typeof MODES)[number], chosen: ModeChoice | undefined): void {
  if (wanted === 'web')
    throw new InputError(
      '`protocol` is tcp, and `mode: web` has no port of its own to pass bytes to: use protocol: http, or a command that serves the folder',
    );
  if (chosen?.mode === 'web')
    throw new InputError(
      '`protocol` is tcp, and what was found at `path` is a web app, which has no port of its own to pass bytes to: give the `port` of your service, or a `command` that opens one',
    );
}

function checkTcpHealthPath(healthPath: string): void {
  if (healthPath !== DEFAULT_HEALTH_PATH)
    throw new InputError(
      '`health-path` cannot be used with `protocol: tcp`: the app is up when its port accepts; leave it out',
    );
}

function checkTcpHostHeader(hostHeader: HostHeader | undefined): void {
  if (hostHeader !== undefined && hostHeader !== 'auto')
    throw new InputError(
      '`host-header` cannot be used with `protocol: tcp`: bytes reach the app unread; leave it out',
    );
}

function checkTcpPages({
  spa,
  isolation,
  basePath,
}: {
  spa: boolean | undefined;
  isolation: boolean | 'credentialless' | undefined;
  basePath: string | undefined;
}): void {
  const problems: string[] = [];
  if (spa)
    problems.push('`spa` cannot be used with `protocol: tcp`: no page is served for the app; leave it out');
  if (isolation)
    problems.push(
      '`cross-origin-isolation` cannot be used with `protocol: tcp`: there are no headers to send; leave it out',
    );
  if (basePath !== undefined && basePath !== 'auto')
    problems.push(
      '`base-path` cannot be used with `protocol: tcp`: no page is served for the app; leave it out',
    );
  if (problems.length > 0) throw new InputError(problems);
}
