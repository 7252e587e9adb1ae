// The inputs about the app: what is run, how, and when it counts as up. Used by inputs.

import { resolve } from 'node:path';
import { VM_HOSTS } from '../app/program.ts';
import { chooseMode, type ModeChoice } from '../app/project/mode.ts';
import { parseWasmrunVersion } from '../app/wasmrun/version.ts';
import { parseDuration } from '../shared/duration.ts';
import { APP_MODES, type AppMode, type Protocol } from '../shared/state.ts';
import { parseEnv } from './env.ts';
import type { InputSource, Problems } from './problems.ts';
import {
  DEFAULT_HEALTH_PATH,
  parseBoolean,
  parseChoice,
  parseHealthPath,
  parseWholeNumber,
} from './values.ts';

const MODES = ['auto', ...APP_MODES] as const;

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
  vm: (typeof VM_HOSTS)[number];
  browser: string | undefined;
  spa: boolean;
  crossOriginIsolation: boolean;
  /** Undefined with `protocol: tcp`: a port that accepts is enough. */
  healthPath: string | undefined;
  startupTimeoutMs: number;
}

/** Undefined after a problem was noted. Relative paths are resolved against `base`. */
export function parseAppInputs(
  read: InputSource,
  context: { environment: NodeJS.ProcessEnv; base: string; protocol: Protocol; problems: Problems },
): AppInputs | undefined {
  const { environment, base, protocol, problems } = context;
  const text = (name: string) => read(name).trim();
  const optional = (name: string) => text(name) || undefined;
  const path = resolve(base, text('path') || '.');
  const port = problems.check(() => parseWholeNumber(optional('port'), 'port', 1, 65_535));
  const command = optional('command');
  const wanted = problems.check(() => parseChoice(text('mode') || 'auto', 'mode', MODES));
  const chosen = wanted && findMode(wanted, { path, port, command }, problems);
  const env = problems.check(() => parseEnv(read('env'), environment));
  if (chosen?.mode === 'os' && text('env'))
    problems.found.push(
      '`env` cannot be used with `mode: os`: the page gives programs a fixed environment; write the values into a file of the project instead',
    );
  const version = problems.check(() => parseVersion(optional('wasmrun-version')));
  const vm = problems.check(() => parseChoice(text('vm') || 'auto', 'vm', VM_HOSTS));
  const spa = problems.check(() => parseBoolean(text('spa'), 'spa', false));
  const isolation = problems.check(() =>
    parseBoolean(text('cross-origin-isolation'), 'cross-origin-isolation', false),
  );
  const healthPath = problems.check(() => parseHealthPath(text('health-path') || DEFAULT_HEALTH_PATH));
  const startupTimeoutMs = problems.check(() =>
    parseDuration(text('startup-timeout') || '120s', 'startup-timeout'),
  );
  if (protocol === 'tcp')
    problems.found.push(...listGatewayWishes({ wanted, chosen, healthPath, spa, isolation }));
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
    healthPath: protocol === 'tcp' ? undefined : healthPath,
    startupTimeoutMs,
  };
}

function findMode(
  mode: (typeof MODES)[number],
  { path, port, command }: { path: string; port: number | undefined; command: string | undefined },
  problems: Problems,
): ModeChoice | undefined {
  return problems.check(() =>
    chooseMode({
      mode,
      path,
      ...(port !== undefined && { port }),
      ...(command !== undefined && { command }),
    }),
  );
}

function parseVersion(text: string | undefined): string | undefined {
  return text === undefined ? undefined : parseWasmrunVersion(text);
}

/** What only the gateway can do, and there is none between raw bytes and the app. */
function listGatewayWishes(app: {
  wanted: (typeof MODES)[number] | undefined;
  chosen: ModeChoice | undefined;
  healthPath: string | undefined;
  spa: boolean | undefined;
  isolation: boolean | undefined;
}): string[] {
  const problems: string[] = [];
  if (app.wanted === 'web')
    problems.push(
      '`protocol` is tcp, and `mode: web` has no port of its own to pass bytes to: use protocol: http, or a command that serves the folder',
    );
  else if (app.chosen?.mode === 'web')
    problems.push(
      '`protocol` is tcp, and what was found at `path` is a web app, which has no port of its own to pass bytes to: name the `port` that is meant, or a `command` that opens one',
    );
  if (app.healthPath !== undefined && app.healthPath !== DEFAULT_HEALTH_PATH)
    problems.push(
      '`health-path` cannot be used with `protocol: tcp`: the app is up when its port accepts; leave it out',
    );
  if (app.spa)
    problems.push('`spa` cannot be used with `protocol: tcp`: no page is served for the app; leave it out');
  if (app.isolation)
    problems.push(
      '`cross-origin-isolation` cannot be used with `protocol: tcp`: there are no headers to send; leave it out',
    );
  return problems;
}
