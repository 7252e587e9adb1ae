// Starts apps for the tests of src/app: a private folder for each test, and everything stopped after it.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type App, type AppOptions, startApp } from '../../src/app/app.ts';
import type { AppSpec } from '../../src/app/program.ts';
import type { RestartTiming } from '../../src/app/restart.ts';
import { AppError } from '../../src/shared/errors.ts';
import { createLogger } from '../../src/shared/log.ts';
import type { AppState } from '../../src/shared/state.ts';

/** Five restarts, like the real ones, without the wait. */
export const FAST: RestartTiming = { pausesMs: [20, 20, 20, 20, 20], resetAfterMs: 60_000, startMs: 20_000 };
export const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');

/** Answers with its pid; stays up until it is told to end. */
export const SERVE = `require('node:http').createServer((q, s) => {
  s.end(process.pid + ' ' + (process.env.GREETING ?? '') + ' ' + process.env.EXPOSE_URL);
}).listen(process.env.PORT, '127.0.0.1', () => console.log('up'))`;

/** The folder of this test. */
export let folder: string;
let apps: App[];
let servers: (Server | TcpServer)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'expose-app-test-'));
  apps = [];
  servers = [];
});

afterEach(async () => {
  await Promise.all(apps.map(app => app.stop()));
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

export function createOptions(spec: AppSpec, options: Partial<AppOptions>): AppOptions {
  return {
    spec,
    publicUrl: () => 'http://preview.test:7',
    baseEnvironment: { PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}` },
    env: {},
    healthPath: '/',
    hostHeader: 'auto',
    stopTimeoutMs: 5_000,
    folder,
    logger: createLogger({ level: 'quiet', write: () => undefined }),
    onChild: () => undefined,
    onState: () => undefined,
    signal: AbortSignal.timeout(30_000),
    ...options,
  };
}

/** Calls back for every line of the app's console. */
export function logTo(onDebug: () => void) {
  return createLogger({ level: 'debug', write: onDebug });
}

/** An app with what it has reported. */
export interface ReportingApp extends App {
  readonly state: AppState;
  /** How often it was announced that it is started again. */
  readonly restarts: number;
}

export async function start(spec: AppSpec, options: Partial<AppOptions> = {}, timing = FAST) {
  const states: AppState[] = [];
  const onState = (state: AppState) => {
    states.push(state);
    options.onState?.(state);
  };
  const started = await startApp({ ...createOptions(spec, options), onState }, timing);
  apps.push(started);
  const app: ReportingApp = {
    get state() {
      return states.at(-1) ?? { status: 'starting' };
    },
    get restarts() {
      return states.filter(({ status }) => status === 'restarting').length;
    },
    get pid() {
      return started.pid;
    },
    consoleTail: () => started.consoleTail(),
    stop: () => started.stop(),
  };
  return { app, states };
}

export async function fail(spec: AppSpec, options: Partial<AppOptions> = {}): Promise<AppError> {
  const failure: unknown = await startApp(createOptions(spec, options), FAST).catch(error => error);
  if (failure instanceof AppError) return failure;
  throw new Error('the start did not fail with an AppError', { cause: failure });
}

export function node(script: string): string {
  return `node -e '${script.replaceAll("'", `'\\''`)}'`;
}

export function base(app: ReportingApp): string {
  if (app.state.status !== 'running' || app.state.upstream.kind !== 'address') throw new Error('no address');
  const { host, port } = app.state.upstream;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export async function ask(app: ReportingApp, path = '/'): Promise<string> {
  return await (await fetch(base(app) + path)).text();
}

export async function occupy(port = 0): Promise<number> {
  const server = createServer((_, response) => response.end('another program'));
  await listen(server, port);
  return (server.address() as AddressInfo).port;
}

export async function listen(server: Server | TcpServer, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
}
